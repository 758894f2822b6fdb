//! The package as a page uses it: long use, the way to the first answer, and many posts.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{options::Options, stats::Summary, table::table};

/// The shipped bundle's address.
const BUNDLE: &str = "/pkg/mixed-feelings-small.safetensors";

/// Fresh pages whose median the way to the first answer is.
const PAGES: usize = 7;

/// What the driver is told of both.
pub fn jobs(options: &Options) -> (Option<Value>, Option<Value>) {
    let soak = options.soak.map(|analyses| json!({ "analyses": analyses }));
    let pages = if options.quick { 3 } else { PAGES };
    (soak, options.load.then(|| json!({ "pages": pages, "bundle": BUNDLE })))
}

/// What the driver is told of the way to the first answer beside a GPU.
pub fn starts_job(options: &Options) -> Option<Value> {
    let pages = if options.quick { 3 } else { 2 * PAGES };
    options.starts.then(|| json!({ "pages": pages, "bundle": BUNDLE }))
}

/// What the driver is told of many posts.
pub fn batch_job(options: &Options) -> Option<Value> {
    let rounds = if options.quick { 5 } else { 15 };
    options.batch.map(|texts| json!({ "texts": texts, "rounds": rounds, "photos": [], "device": "cpu" }))
}

/// Posts a second.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Speed {
    /// One after another.
    pub single: Option<f64>,
    /// As a batch.
    pub batch: Option<f64>,
}

/// Many posts.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Batch {
    /// How many texts.
    pub texts: u32,
    /// Which program.
    pub backend: String,
    /// Of each kind.
    pub speeds: std::collections::BTreeMap<String, Speed>,
}

/// Many posts as a table.
pub fn of_batch(batch: &Batch) -> String {
    let told = |speed: Option<f64>| speed.map_or("–".into(), |speed| format!("{speed:.1}"));
    let rows = batch.speeds.iter().filter(|(_, speed)| speed.single.is_some()).map(|(name, speed)| {
        let gain = speed.batch.zip(speed.single).map(|(batch, single)| batch / single);
        vec![
            name.clone(),
            told(speed.single),
            told(speed.batch),
            gain.map_or("–".into(), |gain| format!("{gain:.2}x")),
        ]
    });
    let head =
        [&format!("{} posts, {}", batch.texts, batch.backend), "one by one, a second", "as a batch", "gain"];
    table(&head, &rows.collect::<Vec<_>>())
}

/// Memory at one time, in bytes.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// Analyses until then.
    pub analyses: u64,
    /// The wasm memory of the worker.
    pub wasm_bytes: u64,
    /// The page's heap, where the browser tells.
    pub heap_bytes: Option<u64>,
}

/// How long a page stood still, in milliseconds.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Halts {
    /// The longest.
    pub longest: f64,
    /// Those over 8 ms.
    pub over: u64,
    /// How often it was looked.
    pub ticks: u64,
    /// Tasks over 50 ms by the browser's own count.
    pub long_tasks: u64,
    /// The longest of those.
    pub longest_task: f64,
}

/// Halts beside work of ours and of nobody's.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Compared {
    /// While a worker only keeps a processor busy: what the machine itself does.
    pub spinning: Halts,
    /// While the worker works.
    pub busy: Halts,
}

/// Long use.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Soak {
    /// How many analyses.
    pub analyses: u64,
    /// Milliseconds of each.
    pub ms_each: f64,
    /// Which program.
    pub backend: String,
    /// At the beginning, on the way and at the end.
    pub memory: Vec<Memory>,
    /// The page meanwhile.
    pub halts: Compared,
}

/// One fresh page.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Visit {
    /// Which program.
    pub backend: String,
    /// Whether the bundle came from the browser's cache.
    pub cached: bool,
    /// Milliseconds to the analyzer.
    pub ready: f64,
    /// Milliseconds to the first answer.
    pub answered: f64,
    /// The wasm memory then: it never shrinks, so this is its peak.
    pub wasm_bytes: u64,
    /// The bundle's size.
    pub bundle_bytes: u64,
    /// The page's heap, where the browser tells.
    pub heap_bytes: Option<u64>,
}

/// The way to the first answer.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Load {
    /// With an empty cache, from this very machine.
    pub first: Visit,
    /// With a full one.
    pub cached: Vec<Visit>,
}

/// The way to the first answer with the processor alone and with `auto`, from the browser's cache.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Start {
    /// Whether the browser had a GPU to offer, be it software.
    pub gpu: bool,
    /// With `device: 'cpu'`.
    pub cpu: Vec<Visit>,
    /// With `device: 'auto'`.
    pub auto: Vec<Visit>,
}

const MEGA: f64 = 1e6;

/// Long use as a table.
pub fn of_soak(soak: &Soak) -> String {
    let mut rows: Vec<Vec<String>> = soak
        .memory
        .iter()
        .map(|Memory { analyses, wasm_bytes, heap_bytes }| {
            let heap = heap_bytes.map_or("–".into(), |bytes| format!("{:.1}", bytes as f64 / MEGA));
            vec![analyses.to_string(), format!("{:.1}", *wasm_bytes as f64 / MEGA), heap]
        })
        .collect();
    let memory = table(&["analyses", "wasm memory, MB", "page's heap, MB"], &rows);
    rows = [("beside a worker that only spins", &soak.halts.spinning), ("beside analyses", &soak.halts.busy)]
        .map(|(name, halts)| {
            let ms = |x: f64| format!("{x:.1} ms");
            let tasks = format!("{} (longest {})", halts.long_tasks, ms(halts.longest_task));
            vec![name.into(), ms(halts.longest), format!("{} of {}", halts.over, halts.ticks), tasks]
        })
        .to_vec();
    let halts = table(&["the page meanwhile", "longest halt", "over 8 ms", "tasks over 50 ms"], &rows);
    format!("{} analyses, {:.1} ms each, {}\n\n{memory}\n{halts}", soak.analyses, soak.ms_each, soak.backend)
}

/// The median of some visits, and between what they lie.
fn median(value: fn(&Visit) -> f64, visits: &[Visit]) -> String {
    let all: Vec<f64> = visits.iter().map(value).collect();
    Summary::of(&all).map_or("–".into(), |s| format!("{:.0} ({:.0}–{:.0})", s.median, s.least, s.most))
}

/// The ways to the first answer beside each other as a table.
pub fn of_starts(starts: &[Start]) -> String {
    let rows = starts.iter().flat_map(|Start { gpu, cpu, auto }| {
        let place = if *gpu { "with a GPU (software)" } else { "without a GPU" };
        [("'cpu'", cpu), ("'auto'", auto)].map(|(device, visits)| {
            vec![
                format!("{place}, {device}"),
                visits.len().to_string(),
                median(|visit| visit.ready, visits),
                median(|visit| visit.answered, visits),
            ]
        })
    });
    table(&["cached, in turns", "pages", "ready, ms", "first answer, ms"], &rows.collect::<Vec<_>>())
}

/// The way to the first answer as a table.
pub fn of_load(load: &Load) -> String {
    let row = |name: &str, visits: &[Visit]| {
        let memory = visits.iter().map(|visit| visit.wasm_bytes).max().unwrap_or_default() as f64;
        let bundle = visits.iter().map(|visit| visit.bundle_bytes).max().unwrap_or_default() as f64;
        vec![
            name.into(),
            median(|visit| visit.ready, visits),
            median(|visit| visit.answered, visits),
            format!("{:.1}", memory / MEGA),
            format!("{:.2}", memory / bundle.max(1.0)),
        ]
    };
    let rows = [
        row("nothing cached, local server", std::slice::from_ref(&load.first)),
        row(&format!("cached, {} fresh pages", load.cached.len()), &load.cached),
    ];
    let head = ["", "ready, ms", "first answer, ms", "peak wasm memory, MB", "of the bundle's size"];
    table(&head, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_is_told_by_its_median() {
        let visit = |answered| Visit {
            backend: "simd128".into(),
            cached: true,
            ready: 50.0,
            answered,
            wasm_bytes: 60_000_000,
            bundle_bytes: 30_000_000,
            heap_bytes: None,
        };
        let load = Load { first: visit(900.0), cached: vec![visit(100.0), visit(300.0), visit(110.0)] };
        let shown = of_load(&load);
        for part in ["900 (900–900)", "110 (100–300)", "60.0", "2.00", "3 fresh pages"] {
            assert!(shown.contains(part), "{shown}");
        }
    }

    #[test]
    fn starts_are_told_by_place_and_device() {
        let visit = |answered: f64| -> Visit {
            serde_json::from_value(json!({
                "backend": "simd128", "cached": true, "ready": 50.0, "answered": answered, "wasmBytes": 1, "bundleBytes": 1
            }))
            .unwrap()
        };
        let shown =
            of_starts(&[Start { gpu: true, cpu: vec![visit(100.0)], auto: vec![visit(90.0), visit(130.0)] }]);
        for part in ["with a GPU (software), 'cpu'", "100 (100–100)", "'auto'", "(90–130)"] {
            assert!(shown.contains(part), "{shown}");
        }
    }

    #[test]
    fn a_soak_is_read_as_the_page_tells_it() {
        let halts = json!({ "longest": 3.25, "over": 0, "ticks": 9, "longTasks": 0, "longestTask": 0 });
        let soak: Soak = serde_json::from_value(json!({
            "analyses": 10, "msEach": 20.5, "backend": "simd128", "halts": { "spinning": halts, "busy": halts },
            "memory": [{ "analyses": 1, "wasmBytes": 61_500_000, "heapBytes": null }]
        }))
        .unwrap();
        let shown = of_soak(&soak);
        for part in ["10 analyses, 20.5 ms each", "61.5", "3.2 ms", "0 of 9"] {
            assert!(shown.contains(part), "{shown}");
        }
    }
}
