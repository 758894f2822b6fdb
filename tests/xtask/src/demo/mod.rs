//! `cargo demo`: builds what is stale of the npm package, serves the demo page on this machine alone and opens it in the
//! browser; or writes it as a static site.

mod files;
mod server;
mod site;

use std::{
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use files::Site;

use crate::{pack, tools};

/// The port that is tried first: a fixed one, so that the browser finds its cached model again.
const USUAL_PORT: u16 = 8017;

/// Builds the npm package, serves the demo page on this machine and opens it in the browser, or writes it as a static site.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo demo
  cargo demo --port 0 --no-open    # any free port; print the address and open nothing
  cargo demo --out site --base /feelings/    # write a static site for any host")]
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
    /// Take the package as it is, even if its sources are newer.
    #[arg(long)]
    no_build: bool,
    /// Write the page as a static site into this folder, which must be empty or not there, and serve nothing.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["port", "no_open"])]
    out: Option<PathBuf>,
    /// Path at which the host will serve that folder.
    #[arg(long, value_name = "PATH", default_value = "/", requires = "out")]
    base: String,
}

/// Serves until it is stopped.
///
/// # Errors
/// When the package does not build, or the port cannot be had.
pub fn run(args: &Args) -> Result<()> {
    let host = args.host;
    ensure!(host.is_loopback(), "{host} is not a loopback address; the demo serves this machine alone");
    if !args.no_build {
        pack::build(&pack::Args::default())?;
    }
    let root = tools::root()?;
    let Some(out) = &args.out else { return serve(args, &root) };
    let (files, bytes) = site::write(&root, out, &args.base)?;
    println!(
        "{} has {files} files, {:.1} MB, to be served at {}",
        out.display(),
        bytes as f64 / 1e6,
        args.base
    );
    Ok(())
}

fn serve(args: &Args, root: &Path) -> Result<()> {
    let site = Site::new(root)?;
    let listener = listen(args.host, args.port)?;
    let url = format!("http://{}/", listener.local_addr()?);
    println!("The demo is at {url} (Ctrl-C stops it)");
    io::stdout().flush()?;
    // A machine without a browser is not an error: the address stands in the terminal.
    if !args.no_open && open::that_detached(&url).is_err() {
        println!("No browser could be opened; open the address by hand.");
    }
    server::serve(listener, &site)
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
    fn only_loopback_is_served() {
        let host = "0.0.0.0".parse().unwrap();
        let args = Args { port: Some(0), host, no_open: true, no_build: true, out: None, base: "/".into() };
        assert!(run(&args).unwrap_err().to_string().contains("loopback"));
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
