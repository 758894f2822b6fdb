//! `mixed-feelings demo`: builds what is stale of the npm package, serves the demo page on this machine alone and opens
//! it in the browser.

mod browser;
mod files;
mod package;
mod server;

use std::{
    env,
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

use files::Site;

/// The port that is tried first: a fixed one, so that the browser finds its cached model again.
const USUAL_PORT: u16 = 8017;

/// Serves the demo page on this machine and opens it in the browser.
///
/// Run it inside the repository; `cargo demo` does. What is stale of the npm package in pkg/ is built first.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mixed-feelings demo
  mixed-feelings demo --port 0 --no-open    # any free port; print the address and open nothing")]
pub struct Args {
    /// Port to listen on; 0 takes any free one [default: 8017, or any free one if that is taken].
    #[arg(long)]
    port: Option<u16>,
    /// Address to listen on; only loopback addresses.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Do not open the browser.
    #[arg(long)]
    no_open: bool,
    /// Serve the package as it is, even if its sources are newer.
    #[arg(long)]
    no_build: bool,
    /// The repository [default: the nearest folder upwards that has www/index.html].
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

/// Runs the subcommand; returns only on an error.
///
/// # Errors
/// When this is not the repository, the package does not build, or the port cannot be had.
pub fn run(args: Args) -> Result<()> {
    ensure!(
        args.host.is_loopback(),
        "{} is not a loopback address; the demo serves this machine alone",
        args.host
    );
    let root = match args.root {
        Some(root) => root,
        None => find_repository(&env::current_dir()?)?,
    };
    if !args.no_build {
        package::build(&root)?;
    }
    let site = Site::new(&root)?;
    let listener = listen(args.host, args.port)?;
    let url = format!("http://{}/", listener.local_addr()?);
    println!("The demo is at {url} (Ctrl-C stops it)");
    io::stdout().flush()?;
    if !args.no_open {
        browser::open(&url);
    }
    server::serve(&listener, &site)
}

fn find_repository(from: &Path) -> Result<PathBuf> {
    let found = from.ancestors().find(|folder| folder.join("www/index.html").is_file());
    let found = found.with_context(|| {
        format!(
            "no www/index.html in {} or above it: run this in the repository or give --root",
            from.display()
        )
    })?;
    Ok(found.to_path_buf())
}

/// A chosen port must be had; the usual one may be taken by another demo.
fn listen(host: IpAddr, port: Option<u16>) -> Result<TcpListener> {
    let bind = |port| TcpListener::bind(SocketAddr::new(host, port));
    match port {
        Some(port) => bind(port),
        None => bind(USUAL_PORT).or_else(|_| bind(0)),
    }
    .with_context(|| format!("cannot listen on {host}:{}", port.unwrap_or(USUAL_PORT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_found_from_within() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::create_dir(folder.path().join("www")).unwrap();
        std::fs::write(folder.path().join("www/index.html"), "").unwrap();
        assert_eq!(find_repository(&deep).unwrap(), folder.path());
        std::fs::remove_file(folder.path().join("www/index.html")).unwrap();
        assert!(find_repository(&deep).unwrap_err().to_string().contains("--root"));
    }

    #[test]
    fn only_loopback_is_served() {
        let host = "0.0.0.0".parse().unwrap();
        let args = Args { port: Some(0), host, no_open: true, no_build: true, root: None };
        assert!(run(args).unwrap_err().to_string().contains("loopback"));
    }

    #[test]
    fn a_taken_port_is_an_error_only_if_it_was_asked_for() {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let taken = listen(local, Some(0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert!(listen(local, Some(port)).is_err());
        assert!(listen(local, None).is_ok());
    }
}
