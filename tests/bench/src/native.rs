//! The cases natively: this library against onnxruntime, one thread each.

use std::{
    cell::{Cell, RefCell},
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use mixed_feelings::{
    Analyzer, Post,
    analyzer::{ImageInput, Stage},
    image::Picture,
    kernels::{self, InstructionSet},
};
use serde_json::{Value, json};

use crate::{
    cases::{Case, Input},
    measured::{Engine, Failure, Outcome, Raw},
    models::SIDE,
    options::Options,
    prepare::{self, Places, Prepared},
    questions::{self, Text},
    turns::{Runner, Until, sample, warm_up},
};

/// Tiles of a run of the bare tile.
const TILES: u32 = 20_000;

/// Measures the cases, all but the one that begins with a file.
///
/// # Errors
/// When something cannot be prepared, or onnxruntime's process ends.
pub fn measure(places: &Places, options: &Options) -> Result<Engine> {
    let python = prepare::python_here(places)?;
    let cases: Vec<&Case> = options.cases.iter().filter(|case| case.input != Input::PostOfJpeg).collect();
    let mut outcomes = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        eprintln!("[native {}/{}] {}", number + 1, cases.len(), case.title);
        outcomes.push(one(places, options, &python, case).with_context(|| case.id.to_owned())?);
    }
    let version = format!("{}; onnxruntime's package of Python", InstructionSet::best().name());
    Ok(Engine { name: "native".into(), version, outcomes, soak: None, load: None })
}

fn one(places: &Places, options: &Options, python: &Path, case: &Case) -> Result<Outcome> {
    let prepared = prepare::bundle(places, case.model)?;
    let variants = prepare::onnx(places, python, &prepared, case.part())?;
    let texts = case.tokens().map(|tokens| questions::texts(&prepared.parsed, tokens)).transpose()?;
    let texts = texts.unwrap_or_default();
    let warm = Duration::from_millis(if options.quick { 200 } else { 700 });
    let server = RefCell::new(Server::start(places, python)?);
    let ids: Vec<_> = texts.iter().map(|text| &text.ids).collect();
    server
        .borrow_mut()
        .ask(&json!({ "inputs": { "ids": ids, "side": case.has_image().then_some(SIDE) } }))?;

    let mut names = Vec::new();
    let mut contenders: Vec<(f64, Runner<'_>)> = Vec::new();
    let mut failures = Vec::new();
    let mut peak: Runner<'_> = Box::new(|| {
        let began = Instant::now();
        std::hint::black_box(kernels::peak(InstructionSet::best(), TILES));
        Ok(milliseconds(began))
    });
    names.push(("peak native", InstructionSet::best().name().to_owned(), 1));
    contenders.push((warm_up(&mut peak, warm)?, peak));
    let mut ours = ours(case, &prepared, texts)?;
    names.push(("ours native", InstructionSet::best().name().to_owned(), 1));
    contenders.push((warm_up(&mut ours, warm)?, ours));
    for numbers in ["f32", "int8"] {
        let mut best: Option<(f64, Runner<'_>, String, usize)> = None;
        let group = if numbers == "f32" { "ort f32" } else { "ort int8" };
        let ways: Vec<_> = variants.iter().filter(|variant| variant.numbers == numbers).collect();
        for variant in &ways {
            let file = prepared.folder.join(&variant.file);
            let opened = server.borrow_mut().ask(&json!({ "open": file, "output": case.part().output() }));
            let name = variant.name.clone();
            let model = match opened {
                Ok(answer) => answer["model"].as_u64().unwrap_or_default() as usize,
                Err(error) => {
                    failures.push(Failure { group: group.into(), name, reason: error.to_string() });
                    continue;
                }
            };
            let (server, turn) = (&server, Cell::new(0u64));
            let mut runner: Runner<'_> = Box::new(move || {
                turn.set(turn.get() + 1);
                let answer = server.borrow_mut().ask(&json!({ "run": model, "question": turn.get() }))?;
                answer["ms"].as_f64().context("no time came back")
            });
            let pace = warm_up(&mut runner, warm)?;
            let loser = if best.as_ref().is_none_or(|best| pace < best.0) {
                best.replace((pace, runner, name, model)).map(|loser| loser.3)
            } else {
                Some(model)
            };
            if let Some(loser) = loser {
                server.borrow_mut().ask(&json!({ "close": loser }))?;
            }
        }
        if let Some((pace, runner, name, _)) = best {
            names.push((group, name, ways.len()));
            contenders.push((pace, runner));
        }
    }
    let limit = Duration::from_secs(if options.quick { 10 } else { 60 });
    let samples = sample(&mut contenders, Until { wanted: options.samples, limit })?;
    let tiles = kernels::peak(InstructionSet::best(), 1).macs as f64 * f64::from(TILES);
    let raw: Vec<Raw> = names
        .into_iter()
        .zip(samples)
        .map(|((group, name, ways), samples)| Raw {
            group: group.into(),
            name,
            ways,
            macs: if group.starts_with("peak") { tiles } else { case.macs() as f64 },
            answer: None,
            samples,
        })
        .collect();
    Ok(Outcome::of(case, &raw, failures))
}

/// This library: of an encoder alone the encoder's time, of a post all of it.
fn ours<'a>(case: &Case, prepared: &Prepared, texts: Vec<Text>) -> Result<Runner<'a>> {
    let mut analyzer = Analyzer::from_bundle(fs::read(&prepared.bundle)?)?;
    let mut turn = 0usize;
    let pictures: Vec<Picture> = if case.has_image() { pictures()? } else { vec![] };
    let stage = match case.input {
        Input::Text(_) => Some(Stage::Text),
        Input::Image => Some(Stage::Image),
        Input::PostOfPixels | Input::PostOfJpeg => None,
    };
    Ok(Box::new(move || {
        turn += 1;
        let text = (!texts.is_empty()).then(|| texts[turn % texts.len()].text.as_str());
        let image = (!pictures.is_empty()).then(|| ImageInput::Picture(&pictures[turn % pictures.len()]));
        let (mut began, mut ended) = (None, None);
        let whole = Instant::now();
        analyzer.analyze_observed(Post { text, image }, |begins| {
            if Some(begins) == stage {
                began = Some(Instant::now());
            } else if began.is_some() && ended.is_none() {
                ended = Some(Instant::now());
            }
        })?;
        let whole = milliseconds(whole);
        Ok(match (began, ended) {
            (Some(began), Some(ended)) => ended.duration_since(began).as_secs_f64() * 1e3,
            _ => whole,
        })
    }))
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

fn pictures() -> Result<Vec<Picture>> {
    (0..4)
        .map(|number| {
            let wave = |i: usize| {
                128.0 + 120.0 * ((i / 3 % SIDE) as f32 / 17.0 + number as f32 + (i % 3) as f32).sin()
            };
            let pixels = (0..3 * SIDE * SIDE).map(|i| wave(i) as u8).collect();
            Ok(Picture::from_rgb(SIDE as u32, SIDE as u32, pixels)?)
        })
        .collect()
}

/// `native.py`.
struct Server {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Server {
    fn start(places: &Places, python: &Path) -> Result<Self> {
        let mut child = Command::new(python)
            .arg(places.bench.join("native.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| python.display().to_string())?;
        let requests = child.stdin.take().context("no pipe to Python")?;
        let answers = BufReader::new(child.stdout.take().context("no pipe from Python")?);
        Ok(Server { child, requests, answers })
    }

    fn ask(&mut self, request: &Value) -> Result<Value> {
        writeln!(self.requests, "{request}")?;
        self.requests.flush()?;
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("onnxruntime's process ended");
        }
        let answer: Value = serde_json::from_str(&line)?;
        match answer["error"].as_str() {
            Some(error) => bail!("{error}"),
            None => Ok(answer),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It holds nothing that would have to be put away.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
