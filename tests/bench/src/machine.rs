//! Where and when it was measured.

use std::{fs, process::Command, thread};

use serde::Serialize;

/// The machine.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Its processor, as the system calls it.
    pub processor: String,
    /// How many threads it runs at a time.
    pub threads: usize,
    /// Processes that wanted the processor in the last minute, where the system says so.
    pub load: Option<f64>,
    /// The system.
    pub system: String,
    /// The day and the time, UTC.
    pub date: String,
}

impl Machine {
    /// This one, now.
    pub fn here() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Machine {
            processor: processor(&cpuinfo).unwrap_or_else(|| std::env::consts::ARCH.into()),
            threads: thread::available_parallelism().map_or(1, usize::from),
            load: load.split(' ').next().and_then(|word| word.parse().ok()),
            system: std::env::consts::OS.into(),
            date: date(),
        }
    }
}

/// From Linux's `/proc/cpuinfo`.
fn processor(cpuinfo: &str) -> Option<String> {
    let field = |name: &str| {
        let line =
            cpuinfo.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let (family, model) = (field("cpu family"), field("model"));
    let numbers = family.zip(model).map(|(f, m)| format!(" (family {f}, model {m})")).unwrap_or_default();
    Some(field("model name")? + &numbers)
}

/// By `date`, which every Unix has: calendars are not worth a dependency here.
fn date() -> String {
    let out = Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]).output();
    out.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_processor_is_named() {
        let text =
            "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: Some CPU\n\nprocessor\t: 1\n";
        assert_eq!(super::processor(text).as_deref(), Some("Some CPU (family 25, model 17)"));
        assert_eq!(super::processor(""), None);
    }
}
