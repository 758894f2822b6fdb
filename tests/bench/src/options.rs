//! The command line.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Parser, ValueEnum};
use xtask::tools::Browser;

use crate::cases::{CASES, Case};

/// How fast the project is beside onnxruntime, rten and candle, in real browsers and natively, one thread each.
///
/// Prints tables; writes `target/bench/report.json` and `target/bench/report.svg`. The first run prepares models
/// (minutes, 4 GB under `target/bench/`) and needs Node.js, Python 3.11 with venv, and Chromium. A quiet machine gives
/// better figures: samples that something disturbed are thrown away.
#[derive(Debug, Parser)]
#[command(name = "cargo bench-web", bin_name = "cargo bench-web", after_help = EXAMPLES)]
pub struct Arguments {
    /// In which browser.
    #[arg(long, value_enum, default_value_t = Which::Chromium)]
    browser: Which,
    /// Only these cases, separated by commas; `--list` names them.
    #[arg(long, value_delimiter = ',', value_name = "CASE")]
    cases: Vec<String>,
    /// Only contenders whose names contain one of these, separated by commas: `ours,ort,peak`.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    only: Vec<String>,
    /// Undisturbed samples of each contender.
    #[arg(long, value_name = "N")]
    samples: Option<usize>,
    /// Fewer samples and shorter warm-ups: rough figures in a few minutes.
    #[arg(long)]
    quick: bool,
    /// Only natively, in no browser.
    #[arg(long, conflicts_with_all = ["no_native", "soak", "load", "batch", "starts", "webgpu"])]
    native_only: bool,
    /// Only in browsers.
    #[arg(long)]
    no_native: bool,
    /// Long use: this many posts through the npm package, its memory, and the page's longest halts. No cases unless named.
    #[arg(long, value_name = "N")]
    soak: Option<u32>,
    /// The way to the first answer with everything in the browser's cache. No cases unless named.
    #[arg(long)]
    load: bool,
    /// So many short texts through the npm package, one after another and as a batch. No cases unless named.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    /// The way to the first answer with device 'cpu' and 'auto' in turns, without a GPU and with one. No cases unless named.
    #[arg(long)]
    starts: bool,
    /// The two encoders with WebGPU, ours and onnxruntime-web's, beside the processor. No cases unless named.
    #[arg(long)]
    webgpu: bool,
    /// Measures the package as it was built last: for what needs only the package.
    #[arg(long, conflicts_with = "cases")]
    no_build: bool,
    /// Where the report goes as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where the plot goes.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Names the cases and ends.
    #[arg(long)]
    list: bool,
}

const EXAMPLES: &str = "Examples:
  cargo bench-web
  cargo bench-web --browser both
  cargo bench-web --quick --cases minilm-32,resnet50 --only ours,peak --no-native
  cargo bench-web --native-only
  cargo bench-web --soak 10000 --load
  cargo bench-web --batch 32
  cargo bench-web --starts --webgpu";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Which {
    Chromium,
    Firefox,
    Both,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Options {
    /// In which browsers.
    pub browsers: Vec<Browser>,
    /// Whether natively too.
    pub native: bool,
    /// Which cases.
    pub cases: Vec<Case>,
    /// Which contenders.
    pub only: Option<Vec<String>>,
    /// Undisturbed samples of each.
    pub samples: usize,
    /// Whether rough figures will do.
    pub quick: bool,
    /// How many posts of long use.
    pub soak: Option<u32>,
    /// Whether the way to the first answer.
    pub load: bool,
    /// How many texts of a batch.
    pub batch: Option<u32>,
    /// Whether the way to the first answer beside a GPU.
    pub starts: bool,
    /// Whether the encoders on the GPU.
    pub webgpu: bool,
    /// Whether the package is built first.
    pub build: bool,
    /// The report.
    pub json: Option<PathBuf>,
    /// The plot.
    pub svg: Option<PathBuf>,
}

impl Arguments {
    /// What they mean; nothing when they only ask for the list of cases.
    ///
    /// # Errors
    /// When a case does not exist.
    pub fn options(self) -> Result<Option<Options>> {
        if self.list {
            CASES.iter().for_each(|case| println!("{:<12} {}", case.id, case.title));
            return Ok(None);
        }
        for id in &self.cases {
            if !CASES.iter().any(|case| case.id == id) {
                bail!("no case is called `{id}`; --list names them");
            }
        }
        let facade = self.soak.is_some() || self.load || self.batch.is_some() || self.starts || self.webgpu;
        if self.no_build && !facade {
            bail!(
                "--no-build is for what needs only the package: --load, --starts, --soak, --batch, --webgpu"
            );
        }
        let facade_only = self.cases.is_empty() && facade;
        let chosen = |case: &&Case| {
            !facade_only && (self.cases.is_empty() || self.cases.iter().any(|id| id == case.id))
        };
        let browsers = match self.browser {
            _ if self.native_only => vec![],
            Which::Chromium => vec![Browser::Chromium],
            Which::Firefox => vec![Browser::Firefox],
            Which::Both => vec![Browser::Chromium, Browser::Firefox],
        };
        Ok(Some(Options {
            browsers,
            native: !self.no_native && !facade_only,
            cases: CASES.iter().filter(chosen).copied().collect(),
            only: (!self.only.is_empty()).then_some(self.only),
            samples: self.samples.unwrap_or(if self.quick { 5 } else { 15 }).max(1),
            quick: self.quick,
            soak: self.soak,
            load: self.load,
            batch: self.batch,
            starts: self.starts,
            webgpu: self.webgpu,
            build: !self.no_build,
            json: self.json,
            svg: self.svg,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &[&str]) -> Options {
        let arguments = Arguments::try_parse_from(["bench"].iter().chain(words)).unwrap();
        arguments.options().unwrap().unwrap()
    }

    #[test]
    fn everything_in_chromium_and_natively_by_default() {
        let options = options(&[]);
        assert_eq!((options.cases.len(), options.samples, options.native), (CASES.len(), 15, true));
        assert_eq!(options.browsers, [Browser::Chromium]);
    }

    #[test]
    fn long_use_alone_measures_no_cases() {
        let alone = options(&["--soak", "10", "--browser", "both"]);
        assert!(alone.cases.is_empty() && !alone.native && alone.browsers.len() == 2);
        assert_eq!(options(&["--load", "--cases", "lite0"]).cases.len(), 1);
        let gpu = options(&["--starts", "--webgpu", "--no-build"]);
        assert!(gpu.cases.is_empty() && gpu.starts && gpu.webgpu && !gpu.build);
        assert!(Arguments::try_parse_from(["bench", "--no-build"]).unwrap().options().is_err());
    }

    #[test]
    fn a_case_that_does_not_exist_is_refused() {
        let arguments = Arguments::try_parse_from(["bench", "--cases", "lite0,lite9"]).unwrap();
        assert!(arguments.options().unwrap_err().to_string().contains("lite9"));
    }
}
