//! A small HTTP server for files: GET and HEAD, one thread a connection, validators instead of ages.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Write},
    net::{IpAddr, Shutdown, TcpListener, TcpStream},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, UNIX_EPOCH},
};

use anyhow::Result;

use super::files::{Site, mime_type};

/// Longest request head; browsers send well under 4 kB.
const MAX_HEAD: u64 = 16 * 1024;
/// What is still read of a client that was refused.
const MAX_UNREAD: u64 = 1024 * 1024;
/// Connections answered at once; more wait in the listener's queue for a moment.
const MAX_CONNECTIONS: usize = 64;
/// A client that says nothing for this long is hung up on.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers requests for ever.
///
/// # Errors
/// None of a single connection; only when a thread cannot be started.
pub fn serve(listener: &TcpListener, site: &Site) -> Result<()> {
    let open = AtomicUsize::new(0);
    thread::scope(|scope| {
        loop {
            let Ok((stream, _)) = listener.accept() else { continue };
            while open.load(Ordering::Acquire) >= MAX_CONNECTIONS {
                thread::sleep(Duration::from_millis(5));
            }
            open.fetch_add(1, Ordering::AcqRel);
            thread::Builder::new().spawn_scoped(scope, || {
                // The client went away or talks nonsense: no harm to the others.
                let _ = answer(stream, site);
                open.fetch_sub(1, Ordering::AcqRel);
            })?;
        }
    })
}

/// What a request asks for, as far as it matters here.
#[derive(Debug, Default, PartialEq)]
struct Request {
    method: String,
    target: String,
    host: String,
    known_tag: Option<String>,
}

/// Answers the requests of one connection, one after the other, until either side has enough.
fn answer(stream: TcpStream, site: &Site) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let outcome = answer_all(&mut reader, &mut &stream, site);
    // To hang up with words of the client still unread would take our answer back from it.
    stream.shutdown(Shutdown::Write)?;
    io::copy(&mut reader.take(MAX_UNREAD), &mut io::sink())?;
    outcome
}

fn answer_all(reader: &mut impl BufRead, out: &mut impl Write, site: &Site) -> io::Result<()> {
    loop {
        let mut head = Vec::new();
        let mut limited = reader.by_ref().take(MAX_HEAD);
        loop {
            let before = head.len();
            if limited.read_until(b'\n', &mut head)? == 0 {
                return if head.is_empty() { Ok(()) } else { refuse(out, "400 Bad Request") };
            }
            if head[before..].trim_ascii().is_empty() {
                break;
            }
        }
        let Some(request) = parse(&head) else {
            return refuse(out, "400 Bad Request");
        };
        respond(out, &request, site)?;
    }
}

fn parse(head: &[u8]) -> Option<Request> {
    let head = std::str::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    if version != "HTTP/1.1" || words.next().is_some() {
        return None;
    }
    let mut request = Request { method: method.into(), target: target.into(), ..Request::default() };
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        match name.to_ascii_lowercase().as_str() {
            "host" => request.host = value.trim().into(),
            "if-none-match" => request.known_tag = Some(value.trim().into()),
            // A body would be taken for the next request.
            "content-length" | "transfer-encoding" => return None,
            _ => {}
        }
    }
    Some(request)
}

fn respond(out: &mut impl Write, request: &Request, site: &Site) -> io::Result<()> {
    if !is_local(&request.host) {
        // A foreign name that leads here is another site trying to read ours (DNS rebinding).
        return refuse(out, "421 Misdirected Request");
    }
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return refuse(out, "405 Method Not Allowed");
    }
    let opened = site.find(&request.target).and_then(|path| Some((File::open(&path).ok()?, path)));
    let Some((file, path)) = opened else {
        return write!(out, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    };
    let meta = file.metadata()?;
    let tag = tag_of(&meta);
    if request.known_tag.as_deref() == Some(&tag) {
        return write!(out, "HTTP/1.1 304 Not Modified\r\nETag: {tag}\r\nCache-Control: no-cache\r\n\r\n");
    }
    write!(
        out,
        "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nContent-Length: {}\r\nETag: {tag}\r\nCache-Control: no-cache\r\n\
         X-Content-Type-Options: nosniff\r\nCross-Origin-Resource-Policy: same-origin\r\n\r\n",
        mime_type(&path),
        meta.len(),
    )?;
    if request.method == "GET" {
        let sent = io::copy(&mut file.take(meta.len()), out)?;
        if sent != meta.len() {
            // The file shrank meanwhile; only hanging up tells the client.
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    out.flush()
}

/// Hangs up after an answer, since what follows on the connection cannot be trusted.
fn refuse(out: &mut impl Write, status: &str) -> io::Result<()> {
    write!(out, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    Err(io::ErrorKind::InvalidData.into())
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
    use super::*;
    use crate::demo::files::tests::repository;

    /// What the server says to `request`, on a connection that the client then closes.
    fn ask(request: &str) -> String {
        let folder = repository();
        let site = Site::new(folder.path()).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let client = thread::spawn({
            let request = request.to_string();
            move || {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.write_all(request.as_bytes()).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
                let mut said = String::new();
                stream.read_to_string(&mut said).unwrap();
                said
            }
        });
        let _ = answer(listener.accept().unwrap().0, &site);
        client.join().unwrap()
    }

    #[test]
    fn a_file_is_sent_with_its_type_and_length() {
        let said = ask("GET /pkg/dist/index.js HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n");
        assert!(said.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/javascript"), "{said}");
        assert!(said.contains("Content-Length: 9\r\n") && said.ends_with("\r\n\r\nexport {}"), "{said}");
    }

    #[test]
    fn a_connection_serves_more_than_one_request_and_a_known_tag_is_not_sent_again() {
        let first = ask(
            "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\nGET /photos/a%20b.jpg HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
        );
        assert_eq!(first.matches("200 OK").count(), 2, "{first}");
        assert!(!first.contains("<p>page</p>") && first.ends_with("jpeg"), "{first}");

        let folder = repository();
        let site = Site::new(folder.path()).unwrap();
        let mut request =
            Request { method: "GET".into(), target: "/".into(), host: "localhost".into(), known_tag: None };
        let mut out = Vec::new();
        respond(&mut out, &request, &site).unwrap();
        let said = String::from_utf8(out).unwrap();
        let tag = said.lines().find_map(|line| line.strip_prefix("ETag: ")).unwrap();
        request.known_tag = Some(tag.into());
        let mut again = Vec::new();
        respond(&mut again, &request, &site).unwrap();
        assert!(again.starts_with(b"HTTP/1.1 304 "));
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
            ("POST / HTTP/1.1\r\nHost: localhost\r\n\r\n", "405"),
            ("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello", "400"),
            ("GET /\r\n\r\n", "400"),
            ("GET / HTTP/1.1\r\nHost: localhost", "400"),
            ("\u{1}\u{2}\r\n\r\n", "400"),
        ] {
            let said = ask(request);
            assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?} -> {said:?}");
        }
        let endless = ask(&format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(MAX_HEAD as usize)));
        assert!(endless.starts_with("HTTP/1.1 400 "), "{endless:?}");
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
