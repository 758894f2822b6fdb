//! What an epoch costs: its time, and the most memory that the program held in it.

use std::{fmt, fs, time::Instant};

use candle_core::Device;

/// A running measurement.
pub struct Meter {
    since: Instant,
    device: Device,
    /// The most seen of the device's memory in use.
    on_device: Option<u64>,
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Wall-clock time.
    pub seconds: f64,
    /// The most main memory held at once, in bytes, where the system tells it (Linux). That of a GPU is not in it.
    pub peak_bytes: Option<u64>,
    /// The most of the GPU's memory that was in use at a look, in bytes, by whatever programs use it; none on a CPU. This program
    /// keeps what it once took (`device.rs`): it is the most that any step up to now needed, the driver's own share in it.
    pub device_bytes: Option<u64>,
}

impl Meter {
    /// Starts to measure what a training on `device` costs.
    pub fn start(device: &Device) -> Self {
        // Lets the kernel forget the peak so far (proc(5)). Where it cannot, the peak is that of the whole run.
        let _ = fs::write("/proc/self/clear_refs", "5");
        let mut meter = Meter { since: Instant::now(), device: device.clone(), on_device: None };
        meter.look();
        meter
    }

    /// Looks how much of the device's memory is in use.
    pub fn look(&mut self) {
        self.on_device = self.on_device.max(used(&self.device));
    }

    /// What it has cost up to now.
    pub fn read(&self) -> Cost {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let seconds = self.since.elapsed().as_secs_f64();
        Cost { seconds, peak_bytes: peak(&status), device_bytes: self.on_device }
    }
}

/// Bytes of a GPU's memory that are in use.
#[cfg(feature = "cuda")]
fn used(device: &Device) -> Option<u64> {
    let stream = device.as_cuda_device().ok()?.cuda_stream();
    let (free, total) = stream.context().mem_get_info().ok()?;
    Some(total.saturating_sub(free) as u64)
}

#[cfg(not(feature = "cuda"))]
fn used(_: &Device) -> Option<u64> {
    None
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} s", self.seconds)?;
        if let Some(bytes) = self.peak_bytes {
            write!(f, ", {:.2} GB", bytes as f64 / 1e9)?;
        }
        match self.device_bytes {
            Some(bytes) => write!(f, ", {:.2} GB on the GPU", bytes as f64 / 1e9),
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
        let meter = Meter::start(&Device::Cpu);
        let large = vec![1u8; 64 << 20];
        assert!(meter.read().peak_bytes.expect("Linux tells it") > large.len() as u64);
    }

    #[test]
    fn it_is_told_in_short() {
        let cost = Cost { seconds: 61.4, peak_bytes: Some(1_234_000_000), device_bytes: None };
        assert_eq!(cost.to_string(), "61 s, 1.23 GB");
        let cost = Cost { device_bytes: Some(5_600_000_000), ..cost };
        assert_eq!(cost.to_string(), "61 s, 1.23 GB, 5.60 GB on the GPU");
        assert_eq!(Cost { seconds: 0.2, peak_bytes: None, device_bytes: None }.to_string(), "0 s");
    }
}
