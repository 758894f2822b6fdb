//! Progress bars on standard error, hidden where that is not a terminal, and log lines that do not tear them.

use std::{
    io::{self, Write},
    sync::OnceLock,
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

fn bars() -> &'static MultiProgress {
    static BARS: OnceLock<MultiProgress> = OnceLock::new();
    BARS.get_or_init(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()))
}

/// A bar of `len` steps under the heading `what`; call `inc` for each step and `finish_and_clear` at the end.
pub fn bar(len: usize, what: impl Into<String>) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    bars().add(ProgressBar::new(len as u64).with_style(style).with_message(what.into()))
}

/// A writer for log lines: standard error, with the bars out of the way while a line is written.
pub fn stderr_above_bars() -> impl Write {
    AboveBars
}

struct AboveBars;

impl Write for AboveBars {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        bars().suspend(|| io::stderr().write(line))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
