//! Opens an address in the user's browser.

use std::process::{Command, Stdio};

/// The opener of this system and what comes before the address.
const OPENER: (&str, &[&str]) = if cfg!(target_os = "macos") {
    ("open", &[])
} else if cfg!(windows) {
    // `start` takes its first quoted argument as a title.
    ("cmd", &["/C", "start", ""])
} else {
    ("xdg-open", &[])
};

/// Opens `url`. A machine without a browser is not an error: the address stands in the terminal.
pub fn open(url: &str) {
    let (program, arguments) = OPENER;
    let started = Command::new(program)
        .args(arguments)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    if started.is_err() {
        println!("No browser could be opened; open the address by hand.");
    }
}
