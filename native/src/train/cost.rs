//! What an epoch costs: its time, and the most memory that the program held in it.

use std::{fmt, fs, time::Instant};

/// A running measurement.
pub struct Meter(Instant);

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Wall-clock time.
    pub seconds: f64,
    /// The most main memory held at once, in bytes, where the system tells it (Linux). That of a GPU is not in it.
    pub peak_bytes: Option<u64>,
}

impl Meter {
    /// Starts to measure.
    pub fn start() -> Self {
        // Lets the kernel forget the peak so far (proc(5)). Where it cannot, the peak is that of the whole run.
        let _ = fs::write("/proc/self/clear_refs", "5");
        Meter(Instant::now())
    }

    /// What it has cost up to now.
    pub fn read(&self) -> Cost {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        Cost { seconds: self.0.elapsed().as_secs_f64(), peak_bytes: peak(&status) }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} s", self.seconds)?;
        match self.peak_bytes {
            Some(bytes) => write!(f, ", {:.2} GB", bytes as f64 / 1e9),
            None => Ok(()),
        }
    }
}

/// The peak of the resident memory in `/proc/self/status`.
fn peak(status: &str) -> Option<u64> {
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix("kB")?;
    kib.trim_end().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_found_in_the_status() {
        assert_eq!(peak("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n"), Some(2 << 20));
        assert_eq!(peak(""), None);
        assert_eq!(peak("VmHWM: much kB"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_large_allocation_shows() {
        let meter = Meter::start();
        let large = vec![1u8; 64 << 20];
        assert!(meter.read().peak_bytes.expect("Linux tells it") > large.len() as u64);
    }

    #[test]
    fn it_is_told_in_short() {
        assert_eq!(Cost { seconds: 61.4, peak_bytes: Some(1_234_000_000) }.to_string(), "61 s, 1.23 GB");
        assert_eq!(Cost { seconds: 0.2, peak_bytes: None }.to_string(), "0 s");
    }
}
