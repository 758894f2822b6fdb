//! Base encoders by name: from a hub on this machine, and what is said when there is none.

mod common;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    thread,
};

use common::{Run, run_with_env, world::World};

/// A world with a training config whose encoders are names.
fn world() -> World {
    let world = World::new().with_tables().with_checkpoint().with_base_encoders(32);
    world.write(
        "train.toml",
        "out = 'run'\n[model]\ntext = 'tiny/bert'\nimage = 'tiny/cnn'\n\
         [text]\ntrain = [{ file = 'texts.tsv' }]\nval = { file = 'texts.tsv' }\n[text.learning]\nepochs = 1\n\
         batch_size = 2\nlearning_rate = 1e-3\n[fusion]\npairs = 'pairs.tsv'\n[fusion.learning]\nepochs = 1\n\
         batch_size = 2\nlearning_rate = 1e-3\n",
    );
    world
}

fn train(world: &World, endpoint: &str) -> Run {
    let config = world.path("train.toml");
    let home = world.path("home").display().to_string();
    run_with_env([PathBuf::from("train"), config], &[("HF_ENDPOINT", endpoint), ("HF_HOME", &home)])
}

#[test]
fn without_a_hub_the_error_says_what_to_do() {
    let world = world();
    // Port 9 of this machine: nobody listens there.
    train(&world, "http://127.0.0.1:9").refused(&[
        "encoder tiny/bert",
        "no such folder here",
        "Hugging Face hub",
        "give a folder with config.json, model.safetensors, tokenizer.json",
        "onnection refused",
    ]);
    assert!(!world.path("run").exists(), "nothing is made before the encoders are there");
}

#[test]
fn a_name_is_fetched_and_kept() {
    let world = world();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
    let files = world.path("base/text");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that goes away early is its own business.
            let _ = serve(stream, &files);
        }
    });
    // This hub has the text encoder and no image encoder.
    train(&world, &endpoint).refused(&["encoder tiny/cnn", "404"]);
    let kept = world.path("home/hub/models--tiny--bert/snapshots/c0ffee");
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        let sent = fs::read(world.path("base/text").join(name)).expect("sent");
        assert!(fs::read(kept.join(name)).expect("kept") == sent, "{name}");
    }
    assert!(!world.path("run").exists());
}

/// Answers one request as the hub does: the part from the first byte asked for, with the headers that name the version.
fn serve(mut stream: TcpStream, files: &std::path::Path) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().unwrap_or(Ok(String::new()))?;
    let mut start = 0;
    let mut end = usize::MAX;
    for line in lines {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some((from, to)) = line.strip_prefix("range: bytes=").and_then(|range| range.split_once('-')) {
            start = from.parse().unwrap_or(0);
            end = to.parse().unwrap_or(usize::MAX);
        }
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let Some(name) = path.strip_prefix("/tiny/bert/resolve/main/") else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    let content = fs::read(files.join(name))?;
    let end = end.min(content.len() - 1);
    let part = &content[start..=end];
    write!(
        stream,
        "HTTP/1.1 206 Partial Content\r\nETag: \"{name}\"\r\nX-Repo-Commit: c0ffee\r\nContent-Length: {}\r\n\
         Content-Range: bytes {start}-{end}/{}\r\nConnection: close\r\n\r\n",
        part.len(),
        content.len()
    )?;
    stream.write_all(part)
}
