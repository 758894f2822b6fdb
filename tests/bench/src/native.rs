//! The cases natively: this library against onnxruntime, one thread each.

use std::{
    cell::RefCell,
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
    backend::cpu::{self, InstructionSet},
    image::Picture,
};
use serde_json::{Value, json};

use crate::{
    cases::{Case, Input},
    measured::{Engine, Failure, Outcome, Raw},
    models::SIDE,
    options::Options,
    prepare::{self, Places, Prepared, Variant},
    questions::{self, TEXTS, Text},
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
    let packages = fs::read_to_string(places.bench.join("requirements.txt"))?;
    let other = packages.lines().find(|line| line.starts_with("onnxruntime")).unwrap_or("onnxruntime");
    let version = format!("{}, {}", InstructionSet::best().name(), other.replace("==", " "));
    Ok(Engine { name: "native".into(), version, outcomes, ..Engine::default() })
}

/// Somebody ready to be measured.
struct Entry<'a> {
    group: &'static str,
    name: String,
    ways: usize,
    macs: f64,
    answer: Option<Vec<f64>>,
    pace: f64,
    runner: Runner<'a>,
}

fn one(places: &Places, options: &Options, python: &Path, case: &Case) -> Result<Outcome> {
    let prepared = prepare::bundle(places, case.model)?;
    let variants = prepare::onnx(places, python, &prepared, case.part())?;
    let texts = case.tokens().map(|tokens| questions::texts(&prepared, tokens, TEXTS)).transpose()?;
    let texts = texts.unwrap_or_default();
    let pictures = if case.has_image() { pictures()? } else { vec![] };
    let warm = Duration::from_millis(if options.quick { 200 } else { 700 });

    let server = RefCell::new(Server::start(places, python)?);
    let ids: Vec<_> = texts.iter().map(|text| &text.ids).collect();
    let picture = write_pictures(places, &prepared, &pictures)?;
    server.borrow_mut().ask(&json!({ "inputs": { "ids": ids, "picture": picture } }))?;

    let mut entries = vec![peak(warm)?, ours(case, &prepared, (texts, pictures), warm)?];
    let mut failures = Vec::new();
    for (group, numbers) in [("ort f32", "f32"), ("ort int8", "int8")] {
        let ways: Vec<_> = variants.iter().filter(|variant| variant.numbers == numbers).collect();
        let other = Other { server: &server, group, case, prepared: &prepared, warm };
        entries.extend(other.fastest(&ways, &mut failures)?);
    }
    let limit = Duration::from_secs(if options.quick { 10 } else { 60 });
    let (about, mut runners): (Vec<_>, Vec<_>) = entries
        .into_iter()
        .map(|Entry { group, name, ways, macs, answer, pace, runner }| {
            ((group, name, ways, macs, answer), (pace, runner))
        })
        .unzip();
    let samples = sample(&mut runners, Until { wanted: options.samples, limit })?;
    let raw: Vec<Raw> = about
        .into_iter()
        .zip(samples)
        .map(|((group, name, ways, macs, answer), samples)| Raw {
            group: group.into(),
            name,
            ways,
            macs,
            answer,
            samples,
        })
        .collect();
    Ok(Outcome::of(case, &raw, failures))
}

/// The register tile alone.
fn peak<'a>(warm: Duration) -> Result<Entry<'a>> {
    let set = InstructionSet::best();
    let mut runner: Runner<'_> = Box::new(move || {
        let began = Instant::now();
        std::hint::black_box(cpu::peak(set, TILES));
        Ok(milliseconds(began))
    });
    let macs = cpu::peak(set, 1).macs as f64 * f64::from(TILES);
    let pace = warm_up(&mut runner, warm)?;
    Ok(Entry { group: "peak native", name: set.name().into(), ways: 1, macs, answer: None, pace, runner })
}

/// This library.
fn ours<'a>(
    case: &Case,
    prepared: &Prepared,
    (texts, pictures): (Vec<Text>, Vec<Picture>),
    warm: Duration,
) -> Result<Entry<'a>> {
    let answer = Some(answer(prepared, texts.first(), pictures.first())?);
    let mut runner = our_runner(case, prepared, texts, pictures)?;
    let pace = warm_up(&mut runner, warm)?;
    let (name, macs) = (InstructionSet::best().name().into(), case.macs() as f64);
    Ok(Entry { group: "ours native", name, ways: 1, macs, answer, pace, runner })
}

/// onnxruntime, with floats or with integers.
struct Other<'a> {
    server: &'a RefCell<Server>,
    group: &'static str,
    case: &'a Case,
    prepared: &'a Prepared,
    warm: Duration,
}

impl<'a> Other<'a> {
    /// The fastest of the ways that open, if any does.
    fn fastest(&self, ways: &[&Variant], failures: &mut Vec<Failure>) -> Result<Option<Entry<'a>>> {
        let mut best: Option<(f64, usize, &Variant)> = None;
        for &variant in ways {
            let file = self.prepared.folder.join(&variant.file);
            let opened = self.ask(&json!({ "open": file, "output": self.case.part().output() }));
            let model = match opened {
                Ok(answer) => answer["model"].as_u64().context("no model came back")? as usize,
                Err(error) => {
                    let (group, name) = (self.group.into(), variant.name.clone());
                    failures.push(Failure { group, name, reason: error.to_string() });
                    continue;
                }
            };
            let pace = warm_up(&mut self.runner(model), self.warm)?;
            let faster = best.is_none_or(|best| pace < best.0);
            let loser =
                if faster { best.replace((pace, model, variant)).map(|best| best.1) } else { Some(model) };
            if let Some(loser) = loser {
                self.ask(&json!({ "close": loser }))?;
            }
        }
        let Some((pace, model, variant)) = best else { return Ok(None) };
        let said = self.ask(&json!({ "run": model, "question": 0 }))?;
        let logits: Vec<f64> = serde_json::from_value(said["logits"].clone())?;
        let temperature = prepare::temperature(self.prepared, self.case.part())?;
        Ok(Some(Entry {
            group: self.group,
            name: variant.name.clone(),
            ways: ways.len(),
            macs: self.case.macs() as f64,
            answer: Some(softmax(&logits, temperature.into())),
            pace,
            runner: self.runner(model),
        }))
    }

    fn ask(&self, request: &Value) -> Result<Value> {
        self.server.borrow_mut().ask(request)
    }

    fn runner(&self, model: usize) -> Runner<'a> {
        let server = self.server;
        let mut turn = 0u64;
        Box::new(move || {
            turn += 1;
            let answer = server.borrow_mut().ask(&json!({ "run": model, "question": turn }))?;
            answer["ms"].as_f64().context("no time came back")
        })
    }
}

/// This library: of an encoder alone the encoder's time, of a post all of it.
fn our_runner<'a>(
    case: &Case,
    prepared: &Prepared,
    texts: Vec<Text>,
    pictures: Vec<Picture>,
) -> Result<Runner<'a>> {
    let mut analyzer = Analyzer::from_bundle(fs::read(&prepared.bundle)?)?;
    let mut turn = 0usize;
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

/// Our probabilities for the first question.
fn answer(prepared: &Prepared, text: Option<&Text>, picture: Option<&Picture>) -> Result<Vec<f64>> {
    let mut analyzer = Analyzer::from_bundle(fs::read(&prepared.bundle)?)?;
    let post = Post { text: text.map(|text| text.text.as_str()), image: picture.map(ImageInput::Picture) };
    Ok(analyzer.answer(post)?.post.probabilities().iter().map(|&p| p.into()).collect())
}

fn softmax(logits: &[f64], temperature: f64) -> Vec<f64> {
    let powers: Vec<f64> = logits.iter().map(|logit| (logit / temperature).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// The pictures in a file for `native.py`, and how they are normalised; nothing when there are none.
fn write_pictures(places: &Places, prepared: &Prepared, pictures: &[Picture]) -> Result<Option<Value>> {
    if pictures.is_empty() {
        return Ok(None);
    }
    let file = places.made.join("pictures.rgb");
    fs::write(&file, pictures.iter().flat_map(|picture| picture.pixels()).copied().collect::<Vec<u8>>())?;
    let preprocess = &prepared.config.preprocess;
    Ok(Some(json!({ "file": file, "side": SIDE, "mean": preprocess.mean, "std": preprocess.std })))
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
