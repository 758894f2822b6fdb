//! What the tests of the program share: running it, and a tiny world to run it in.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod posts;
pub mod world;

use std::{
    ffi::OsStr,
    io::{self, Write},
    process::{Command, Output, Stdio},
};

/// What one run of the program left behind.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// Runs the program.
pub fn run<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Run {
    run_with_input(args, b"")
}

/// Runs the program with bytes on its standard input.
pub fn run_with_input<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>, input: &[u8]) -> Run {
    finish(program().args(args), input)
}

/// Runs the program with variables of its environment, and no proxy between it and this machine.
pub fn run_with_env<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>, variables: &[(&str, &str)]) -> Run {
    let proxies = ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
    let mut program = program();
    for proxy in proxies {
        program.env_remove(proxy);
    }
    finish(program.envs(variables.iter().copied()).args(args), b"")
}

/// Runs the program where nobody reads its standard output any more.
pub fn run_unread<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Run {
    let (reader, writer) = io::pipe().expect("a pipe");
    drop(reader);
    let mut program = program();
    let ran = program.args(args).stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped());
    let Output { status, stderr, .. } = ran.output().expect("the program runs");
    Run { code: status.code(), out: String::new(), err: String::from_utf8(stderr).expect("UTF-8") }
}

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_mixed-feelings"));
    program.env_remove("RUST_LOG").env_remove("HF_ENDPOINT");
    program
}

fn finish(program: &mut Command, input: &[u8]) -> Run {
    let mut child = program
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // The program may end before it has read its input, which is no fault of this test.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    let Output { status, stdout, stderr } = child.wait_with_output().expect("the program ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Run { code: status.code(), out: text(stdout), err: text(stderr) }
}

impl Run {
    /// Asserts success and gives standard output.
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    /// Asserts exit code 1, nothing on standard output, and an `error:` with all of `words`.
    pub fn refused(&self, words: &[&str]) {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert_eq!(self.out, "", "nothing is printed beside the error");
        let start = if self.err.starts_with("error: ") { Some(0) } else { self.err.find("\nerror: ") };
        let error = start.map_or_else(|| panic!("no error: {self:?}"), |start| &self.err[start..]);
        for word in words {
            assert!(error.contains(word), "`{word}` is not in: {error}");
        }
        assert!(!self.err.contains("panicked"), "{self:?}");
    }
}
