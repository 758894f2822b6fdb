//! The encoders of the shipped bundle with WebGPU: ours and onnxruntime-web's, each beside its own answer from the processor.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    browser::{picture, url},
    cases::Part as Encoder,
    models::Model,
    options::Options,
    prepare::{self, Places},
    questions,
    table::table,
};

/// Posts of a batch.
const SIZES: [usize; 3] = [1, 8, 32];
/// Tokens of the texts.
const TOKENS: usize = 32;
/// Milliseconds after which a size is measured well enough.
const LIMIT_MS: u32 = 20_000;
/// Milliseconds after which a contender begins no larger size.
const WHOLE_MS: u32 = 120_000;

/// What the driver is told, for each encoder.
///
/// # Errors
/// When the models cannot be made.
pub fn jobs(places: &Places, options: &Options) -> Result<Option<Vec<Value>>> {
    if !options.webgpu {
        return Ok(None);
    }
    let prepared = prepare::bundle(places, Model::Shipped)?;
    let python = prepare::python_here(places)?;
    let sizes = if options.quick { &SIZES[..2] } else { &SIZES[..] };
    let most = sizes.iter().copied().max().unwrap_or(1);
    let job = |encoder: Encoder| -> Result<Value> {
        let is_text = encoder == Encoder::Text;
        let mut contenders: Vec<Value> = ["cpu", "webgpu"]
            .map(|device| json!({ "id": format!("ours, {device}"), "who": "ours", "device": device }))
            .into();
        for variant in prepare::onnx(places, &python, &prepared, encoder)? {
            let file = url(places, &prepared.folder.join(&variant.file))?;
            for device in ["cpu", "webgpu"] {
                let id = format!("ort {} ({}), {device}", variant.numbers, variant.name);
                contenders.push(json!({ "id": id, "who": "ort", "device": device, "url": file }));
            }
        }
        let chosen = |contender: &Value| {
            let id = contender["id"].as_str().unwrap_or_default();
            options.only.as_ref().is_none_or(|only| only.iter().any(|part| id.contains(part)))
        };
        contenders.retain(chosen);
        Ok(json!({
            "title": if is_text { format!("text, {TOKENS} tokens") } else { "picture, 224 x 224".into() },
            "kind": encoder.name(),
            "texts": if is_text { questions::texts(&prepared, TOKENS, most)? } else { vec![] },
            "picture": (!is_text).then(|| picture(&prepared.config)),
            "output": encoder.output(),
            "temperature": prepare::temperature(&prepared, encoder)?,
            "batches": sizes,
            "limitMs": LIMIT_MS,
            "wholeMs": WHOLE_MS,
            "contenders": contenders,
        }))
    };
    Ok(Some(vec![job(Encoder::Text)?, job(Encoder::Image)?]))
}

/// One encoder.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Part {
    /// What the table calls it.
    pub title: String,
    /// Everybody.
    pub contenders: Vec<Contender>,
}

/// Somebody on one device.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Contender {
    /// Who, and where: the same with the other device has the same beginning.
    pub id: String,
    /// What was measured.
    pub measured: Option<Measured>,
    /// Or why nothing was.
    pub failure: Option<String>,
}

/// What was measured of a contender.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    /// Milliseconds until it was open: files, session or analyzer, self-test.
    pub opened: f64,
    /// Milliseconds until its first answer was there.
    pub answered: f64,
    /// Compute pipelines that it made.
    pub pipelines: u64,
    /// The most bytes of GPU buffers at a time.
    pub buffer_bytes: u64,
    /// Its wasm memory.
    pub wasm_bytes: u64,
    /// Resident bytes of the page's process.
    pub page_bytes: u64,
    /// Resident bytes of the browser's process for the GPU.
    pub process_bytes: u64,
    /// By size.
    pub batches: Vec<Batch>,
    /// The probabilities of each post.
    pub answers: Vec<Vec<f64>>,
    /// What the browser calls the GPU.
    pub adapter: Option<String>,
    /// The size at which it came to an end, and why.
    pub stopped: Option<String>,
    /// Nodes of its graph by the provider that computes them.
    pub nodes: Option<BTreeMap<String, u64>>,
}

/// A batch of one size.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    /// Posts.
    pub size: usize,
    /// Milliseconds of the first.
    pub first_ms: f64,
    /// The median of those after it, if there was time for any.
    pub ms: Option<f64>,
    /// How many there were.
    pub runs: u32,
    /// Programs that were started on the GPU, of each.
    pub dispatches: f64,
    /// Milliseconds of the encoder for a post, where its runtime tells.
    pub stage_ms: Option<f64>,
}

/// How far answers lie apart.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Distance {
    most: f64,
    cosine: f64,
    same_label: usize,
    of: usize,
}

/// Of the posts that both have read.
fn distance(a: &[Vec<f64>], b: &[Vec<f64>]) -> Distance {
    let both = a.len().min(b.len());
    let (a, b) = (&a[..both], &b[..both]);
    let pairs = || a.iter().flatten().zip(b.iter().flatten());
    let dot = |x: &[Vec<f64>], y: &[Vec<f64>]| -> f64 {
        x.iter().flatten().zip(y.iter().flatten()).map(|(x, y)| x * y).sum()
    };
    let label = |scores: &[f64]| (0..scores.len()).max_by(|&i, &j| scores[i].total_cmp(&scores[j]));
    Distance {
        most: pairs().map(|(x, y)| (x - y).abs()).fold(0.0, f64::max),
        cosine: dot(a, b) / (dot(a, a) * dot(b, b)).sqrt(),
        same_label: a.iter().zip(b).filter(|(x, y)| label(x) == label(y)).count(),
        of: both,
    }
}

impl Part {
    fn measured(&self, id: &str) -> Option<&Measured> {
        self.contenders.iter().find(|contender| contender.id == id)?.measured.as_ref()
    }
}

/// Times and memory, then the answers, as tables.
pub fn of_part(part: &Part) -> String {
    let there: Vec<(&str, &Measured)> =
        part.contenders.iter().filter_map(|one| Some((one.id.as_str(), one.measured.as_ref()?))).collect();
    if there.is_empty() {
        return format!("{}: nothing was measured\n", part.title);
    }
    let adapter = there.iter().find_map(|(_, measured)| measured.adapter.clone());
    let sizes: BTreeSet<usize> =
        there.iter().flat_map(|(_, measured)| &measured.batches).map(|batch| batch.size).collect();
    let mut head: Vec<String> = ["open, ms", "first answer, ms"].into_iter().map(String::from).collect();
    head.extend(sizes.iter().map(|size| format!("{size}: first / then, ms a post")));
    head.extend(
        ["pipelines", "dispatches", "GPU buffers, MB", "wasm, MB", "page + GPU process, MB"]
            .map(String::from),
    );
    head.insert(0, part.title.clone());
    let rows: Vec<Vec<String>> = there.iter().map(|(id, measured)| times(id, measured, &sizes)).collect();
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let times = table(&head, &rows);

    let rows: Vec<Vec<String>> = there
        .iter()
        .filter(|(id, _)| *id != "ours, cpu")
        .map(|(id, measured)| answers(part, id, measured))
        .collect();
    let head = ["answers", "from its own on the CPU", "from ours on the CPU", "nodes by provider"];
    let answers = table(&head, &rows);
    let failures: String = part
        .contenders
        .iter()
        .filter_map(|one| {
            let stopped = one.measured.as_ref().and_then(|measured| measured.stopped.as_ref());
            Some(format!("Not here: {}: {}\n", one.id, one.failure.as_ref().or(stopped)?))
        })
        .collect();
    format!("WebGPU: {}\n\n{times}\n{answers}\n{failures}", adapter.unwrap_or_else(|| "no adapter".into()))
}

fn times(id: &str, measured: &Measured, sizes: &BTreeSet<usize>) -> Vec<String> {
    let mega = |bytes: u64| format!("{:.0}", bytes as f64 / 1e6);
    let mut cells =
        vec![id.to_owned(), format!("{:.0}", measured.opened), format!("{:.0}", measured.answered)];
    for &size in sizes {
        let each = |ms: f64| format!("{:.1}", ms / size as f64);
        let batch = measured.batches.iter().find(|batch| batch.size == size);
        cells.push(batch.map_or("–".into(), |batch| {
            format!("{} / {}", each(batch.first_ms), batch.ms.map_or("–".into(), each))
        }));
    }
    let dispatches: Vec<String> =
        measured.batches.iter().map(|batch| format!("{:.0}", batch.dispatches)).collect();
    cells.extend([
        measured.pipelines.to_string(),
        dispatches.join(", "),
        mega(measured.buffer_bytes),
        mega(measured.wasm_bytes),
        mega(measured.page_bytes + measured.process_bytes),
    ]);
    cells
}

fn answers(part: &Part, id: &str, measured: &Measured) -> Vec<String> {
    let from = |other: Option<&Measured>| {
        let shown = |apart: Distance| {
            let Distance { most, cosine, same_label, of } = apart;
            format!("{most:.1e}, cosine {cosine:.6}, {same_label} of {of} labels")
        };
        other.map(|other| distance(&measured.answers, &other.answers)).map_or("–".into(), shown)
    };
    let own = id.strip_suffix("webgpu").map(|beginning| format!("{beginning}cpu"));
    let nodes = measured.nodes.as_ref().filter(|nodes| !nodes.is_empty());
    let told = |nodes: &BTreeMap<String, u64>| {
        nodes.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
    };
    vec![
        id.to_owned(),
        from(own.and_then(|own| part.measured(&own))),
        from(part.measured("ours, cpu")),
        nodes.map_or("–".into(), told),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(answers: Value) -> Value {
        json!({
            "opened": 100.0, "answered": 150.0, "pipelines": 7, "bufferBytes": 27_000_000, "wasmBytes": 60_000_000,
            "pageBytes": 600_000_000, "processBytes": 100_000_000, "answers": answers, "adapter": "google swiftshader",
            "nodes": { "WebGpu": 12, "CPU": 3 },
            "batches": [
                { "size": 1, "firstMs": 50.0, "ms": 20.0, "runs": 5, "dispatches": 68, "stageMs": 19.0 },
                { "size": 8, "firstMs": 80.0, "ms": null, "runs": 0, "dispatches": 136, "stageMs": null }
            ]
        })
    }

    #[test]
    fn everybody_is_beside_his_own_processor_and_ours() {
        let ours = [[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]];
        let part: Part = serde_json::from_value(json!({ "title": "text", "contenders": [
            { "id": "ours, cpu", "measured": measured(json!(ours)) },
            { "id": "ours, webgpu", "measured": measured(json!([[0.2, 0.31, 0.49], [0.6, 0.3, 0.1]])) },
            { "id": "ort int8 (x), webgpu", "failure": "no operator" }
        ] }))
        .unwrap();
        let shown = of_part(&part);
        let parts = [
            "50.0 / 20.0",
            "10.0 / –",
            "68, 136",
            "1.0e-2",
            "2 of 2 labels",
            "CPU 3, WebGpu 12",
            "no operator",
            "700",
        ];
        assert!(parts.iter().all(|part| shown.contains(part)), "{shown}");
    }

    #[test]
    fn answers_that_are_the_same_have_no_distance() {
        let a = [vec![0.2, 0.8], vec![0.7, 0.3]];
        let same = distance(&a, &a);
        assert_eq!((same.most, same.same_label, same.of), (0.0, 2, 2));
        assert!((same.cosine - 1.0).abs() < 1e-12);
        let other = distance(&a, &[vec![0.6, 0.4], vec![0.7, 0.3]]);
        assert!((other.most - 0.4).abs() < 1e-12 && other.same_label == 1);
        assert_eq!(distance(&a, &a[..1]).of, 1);
    }
}
