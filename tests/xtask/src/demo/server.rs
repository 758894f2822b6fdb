//! The demo's answers over HTTP: GET and HEAD of files, validators instead of ages, for this machine alone.

use std::{
    fs::{self, File},
    io::{self, Read},
    net::{IpAddr, TcpListener},
    thread,
    time::UNIX_EPOCH,
};

use anyhow::{Result, anyhow};
use tiny_http::{Header, Method, Request, Response, Server, StatusCode};

use super::files::{Site, mime_type};

/// Requests that are answered at a time; browsers keep six connections open.
const THREADS: usize = 16;

type Answer = Response<Box<dyn Read + Send>>;

/// Answers requests for ever.
///
/// # Errors
/// None of a single connection; only when the server cannot be started or breaks down.
pub fn serve(listener: TcpListener, site: &Site) -> Result<()> {
    let server = Server::from_listener(listener, None).map_err(|error| anyhow!("{error}"))?;
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| server.incoming_requests().for_each(|request| respond(request, site)));
        }
    });
    anyhow::bail!("the server broke down")
}

fn respond(request: Request, site: &Site) {
    // A file that cannot be read now is as good as none.
    let answer = answer(&request, site).unwrap_or_else(|_| empty(404));
    // The client went away or talks nonsense: no harm to the others.
    let _ = request.respond(answer);
}

fn answer(request: &Request, site: &Site) -> io::Result<Answer> {
    let header = |name: &'static str| {
        let found = request.headers().iter().find(|header| header.field.equiv(name));
        found.map(|header| header.value.as_str())
    };
    if !header("Host").is_some_and(is_local) {
        // A foreign name that leads here is another site trying to read ours (DNS rebinding).
        return Ok(empty(421));
    }
    if !matches!(request.method(), Method::Get | Method::Head) {
        return Ok(empty(405));
    }
    let Some(path) = site.find(request.url()) else { return Ok(empty(404)) };
    let file = File::open(&path)?;
    let meta = file.metadata()?;
    let tag = tag_of(&meta);
    let known = header("If-None-Match") == Some(&tag);
    let answer = if known {
        empty(304)
    } else {
        let length = usize::try_from(meta.len()).map_err(io::Error::other)?;
        let body: Box<dyn Read + Send> = Box::new(file.take(meta.len()));
        Response::new(StatusCode(200), vec![], body, Some(length), None)
            // The page shows how much of the whole has come, so its length must be told.
            .with_chunked_threshold(usize::MAX)
            .with_header(field("Content-Type", mime_type(&path)))
            .with_header(field("X-Content-Type-Options", "nosniff"))
            .with_header(field("Cross-Origin-Resource-Policy", "same-origin"))
    };
    Ok(answer.with_header(field("ETag", &tag)).with_header(field("Cache-Control", "no-cache")))
}

fn empty(status: u16) -> Answer {
    Response::empty(status).boxed()
}

fn field(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("names and values of our own are ASCII")
}

/// Changes whenever the file does: its length and its time.
fn tag_of(meta: &fs::Metadata) -> String {
    let time = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    format!("\"{:x}-{:x}\"", meta.len(), time.as_nanos())
}

/// Whether a `Host` header names this machine.
fn is_local(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        net::{Shutdown, TcpStream},
    };

    use super::*;
    use crate::demo::files::tests::repository;

    /// What a server of `folder` says to `request`, on a connection that the client then closes.
    fn ask_of(folder: &tempfile::TempDir, request: &str) -> String {
        let site = Site::new(folder.path()).unwrap();
        let server = Server::http("127.0.0.1:0").unwrap();
        let address = server.server_addr().to_ip().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| server.incoming_requests().for_each(|request| respond(request, &site)));
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let mut said = String::new();
            stream.read_to_string(&mut said).unwrap();
            server.unblock();
            said
        })
    }

    fn ask(request: &str) -> String {
        ask_of(&repository(), request)
    }

    #[test]
    fn a_file_is_sent_with_its_type_and_length() {
        let said = ask("GET /pkg/dist/index.js HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n");
        assert!(said.starts_with("HTTP/1.1 200 OK\r\n") && said.ends_with("\r\n\r\nexport {}"), "{said}");
        for header in ["Content-Type: text/javascript; charset=utf-8", "Content-Length: 9", "ETag: \""] {
            assert!(said.contains(&format!("\r\n{header}")), "{header} is not in {said}");
        }
    }

    #[test]
    fn the_length_of_a_large_file_is_told() {
        let folder = repository();
        fs::write(folder.path().join("pkg/large.safetensors"), "x".repeat(1 << 20)).unwrap();
        let said = ask_of(&folder, "GET /pkg/large.safetensors HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert!(said.contains("\r\nContent-Length: 1048576\r\n"), "{}", &said[..500]);
    }

    #[test]
    fn a_connection_serves_more_than_one_request_and_a_known_tag_is_not_sent_again() {
        let folder = repository();
        let first = ask_of(
            &folder,
            "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\nGET /photos/a%20b.jpg HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
        );
        assert_eq!(first.matches("200 OK").count(), 2, "{first}");
        assert!(!first.contains("<p>page</p>") && first.ends_with("jpeg"), "{first}");

        let tag = first.lines().find_map(|line| line.strip_prefix("ETag: ")).unwrap();
        let again = format!("GET / HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {tag}\r\n\r\n");
        let said = ask_of(&folder, &again);
        assert!(
            said.starts_with("HTTP/1.1 304 ") && said.contains(tag) && said.ends_with("\r\n\r\n"),
            "{said}"
        );
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        assert!(ask("GET /../secret.txt HTTP/1.1\r\nHost: localhost\r\n\r\n").starts_with("HTTP/1.1 404 "));
    }

    #[test]
    fn strangers_and_nonsense_are_refused() {
        for (request, status) in [
            ("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", "421"),
            ("GET / HTTP/1.1\r\n\r\n", "421"),
            ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello", "405"),
            ("GET /\r\n\r\n", "400"),
            ("\u{1}\u{2}\r\n\r\n", "400"),
        ] {
            let said = ask(request);
            assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?} -> {said:?}");
        }
    }

    #[test]
    fn only_names_of_this_machine_are_local() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:8017", "127.1.2.3", "[::1]", "[::1]:9"] {
            assert!(is_local(host), "{host}");
        }
        for host in
            ["", "example.com", "192.168.0.1", "localhost.example.com", "[::2]:80", "127.0.0.1.example"]
        {
            assert!(!is_local(host), "{host}");
        }
    }
}
