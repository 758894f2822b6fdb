//! The cases in a browser: a job for the driver in `web/`, and what it brings back.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use mixed_feelings::model::ModelConfig;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use xshell::cmd;
use xtask::tools::{self, Browser};

use crate::{
    cases::{Case, Input},
    facade::{self, Batch, Load, Soak, Start},
    measured::{Engine, Failure, Outcome, Raw},
    models::SIDE,
    options::Options,
    prepare::{self, Places, Variant},
    questions::{self, TEXTS, Text},
    webgpu,
};

/// What the driver is told of one case.
#[derive(Debug, Serialize)]
struct Job {
    id: &'static str,
    title: &'static str,
    kind: &'static str,
    macs: u64,
    bundle: String,
    output: &'static str,
    temperature: f32,
    texts: Vec<Text>,
    picture: Option<Value>,
    photos: Vec<String>,
    onnx: Vec<Value>,
    reference: bool,
    rten: bool,
    only: Option<Vec<String>>,
    wanted: usize,
    #[serde(rename = "warmUpMs")]
    warm_up_ms: u64,
    #[serde(rename = "limitMs")]
    limit_ms: u64,
}

/// What the driver brings back.
#[derive(Debug, Deserialize)]
struct Results {
    #[serde(default)]
    version: String,
    cases: Vec<CaseResult>,
    soak: Option<Soak>,
    load: Option<Load>,
    batch: Option<Batch>,
    starts: Option<Vec<Start>>,
    webgpu: Option<Vec<webgpu::Part>>,
}

#[derive(Debug, Deserialize)]
struct CaseResult {
    id: String,
    #[serde(default)]
    contenders: Vec<Raw>,
    #[serde(default)]
    failures: Vec<Failure>,
}

/// Measures the cases in one browser.
///
/// # Errors
/// When something cannot be prepared, or the driver fails.
pub fn measure(places: &Places, options: &Options, browser: Browser, program: &Path) -> Result<Engine> {
    let mut jobs = Vec::new();
    for case in &options.cases {
        jobs.push(job(places, options, case).with_context(|| case.id.to_owned())?);
    }
    let (soak, load) = facade::jobs(options);
    let whole = json!({
        "browser": browser.name(), "program": program, "root": places.root, "made": places.made, "cases": jobs,
        "soak": soak, "load": load, "batch": facade::batch_job(options), "starts": facade::starts_job(options),
        "webgpu": webgpu::jobs(places, options)?
    });
    let [job_file, result_file] =
        ["job", "result"].map(|name| places.made.join(format!("{}-{name}.json", browser.name())));
    fs::write(&job_file, whole.to_string())?;
    let driver = places.bench.join("web/run.js");
    let shell = tools::shell()?;
    let outcome = cmd!(shell, "node {driver} {job_file} {result_file}").quiet().run();
    outcome.with_context(|| format!("measuring in {}", browser.name()))?;
    let results: Results = serde_json::from_str(&fs::read_to_string(&result_file)?)
        .with_context(|| result_file.display().to_string())?;
    let outcomes = results.cases.into_iter().filter_map(|CaseResult { id, contenders, failures }| {
        let case = options.cases.iter().find(|case| case.id == id)?;
        Some(Outcome::of(case, &contenders, failures))
    });
    Ok(Engine {
        name: browser.name().into(),
        // Of `Chrome/156.0` the number: the name is known.
        version: results.version.rsplit('/').next().unwrap_or_default().into(),
        outcomes: outcomes.collect(),
        soak: results.soak,
        load: results.load,
        batch: results.batch,
        starts: results.starts,
        webgpu: results.webgpu,
    })
}

fn job(places: &Places, options: &Options, case: &Case) -> Result<Job> {
    let prepared = prepare::bundle(places, case.model)?;
    let python = prepare::python_here(places)?;
    let variants = prepare::onnx(places, &python, &prepared, case.part())?;
    let config = &prepared.config;
    let texts = case.tokens().map(|tokens| questions::texts(&prepared, tokens, TEXTS)).transpose()?;
    let photos = if case.input == Input::PostOfJpeg { questions::large_photos(places)? } else { vec![] };
    let url = |path: &Path| url(places, path);
    Ok(Job {
        id: case.id,
        title: case.title,
        kind: match case.input {
            Input::Text(_) => "text",
            Input::Image => "image",
            Input::PostOfPixels => "pixels",
            Input::PostOfJpeg => "jpeg",
        },
        macs: case.macs(),
        bundle: url(&prepared.bundle)?,
        output: case.part().output(),
        temperature: prepare::temperature(&prepared, case.part())?,
        texts: texts.unwrap_or_default(),
        picture: case.has_image().then(|| picture(config)),
        photos,
        onnx: variants
            .iter()
            .map(|variant| onnx(&url(&prepared.folder.join(&variant.file))?, variant))
            .collect::<Result<_>>()?,
        reference: true,
        rten: case.input != Input::PostOfJpeg,
        only: options.only.clone(),
        wanted: options.samples,
        warm_up_ms: if options.quick { 600 } else { 1500 },
        limit_ms: if options.quick { 20_000 } else { 120_000 },
    })
}

/// How pictures are made ready for a model.
pub fn picture(config: &ModelConfig) -> Value {
    json!({ "side": SIDE, "mean": config.preprocess.mean, "std": config.preprocess.std })
}

fn onnx(url: &str, variant: &Variant) -> Result<Value> {
    // onnxruntime alone has the operators of its own optimizer, and of QOperator's sums.
    let portable = !["fused", "QOperator"].iter().any(|word| variant.name.contains(word));
    Ok(json!({ "numbers": variant.numbers, "name": variant.name, "url": url, "portable": portable }))
}

/// The address under which the driver serves a file.
///
/// # Errors
/// When it serves no such file.
pub fn url(places: &Places, path: &Path) -> Result<String> {
    let (top, rest) = match path.strip_prefix(&places.made) {
        Ok(rest) => ("made", rest),
        Err(_) => ("pkg", path.strip_prefix(places.root.join("pkg"))?),
    };
    let parts: Vec<_> = rest.iter().map(|part| part.to_string_lossy()).collect();
    Ok(format!("/{top}/{}", parts.join("/")))
}
