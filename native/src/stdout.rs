//! Standard output. That its reader went away, as `| head` does, is told apart from every other error: it ends the program,
//! and nothing is wrong.

use std::{
    error::Error,
    fmt::{self, Display},
    io::{self, StdoutLock, Write},
};

/// Standard output, locked.
pub struct Stdout(StdoutLock<'static>);

/// Standard output. Whatever is to stay is written into its file before.
pub fn stdout() -> Stdout {
    Stdout(io::stdout().lock())
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(named)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(named)
    }
}

/// What happened to standard output, not to one of the files.
#[derive(Debug)]
struct OfStdout(io::Error);

impl Display for OfStdout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "standard output: {}", self.0)
    }
}

impl Error for OfStdout {}

fn named(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), OfStdout(error))
}

/// Whether the error is that nobody reads standard output any more. A pipe that an option names, or a connection, is
/// another matter.
pub fn is_closed(error: &anyhow::Error) -> bool {
    let errors = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    errors
        .filter(|error| error.kind() == io::ErrorKind::BrokenPipe)
        .any(|error| error.get_ref().is_some_and(|of| of.is::<OfStdout>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_closed_standard_output_is_closed() {
        let told = |kind: io::ErrorKind| anyhow::Error::new(named(kind.into())).context("learn");
        assert!(is_closed(&told(io::ErrorKind::BrokenPipe)));
        assert!(!is_closed(&told(io::ErrorKind::StorageFull)), "a full disk is an error");
        let other = anyhow::Error::new(io::Error::from(io::ErrorKind::BrokenPipe)).context("writing pipe");
        assert!(!is_closed(&other), "so is a pipe that was to be written");
        let full = format!("{:#}", told(io::ErrorKind::StorageFull));
        assert!(full.starts_with("learn: standard output: "), "{full}");
    }
}
