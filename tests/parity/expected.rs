//! The committed expectations, and what counts as equal.

use std::{collections::BTreeMap, sync::LazyLock};

use candle_core::{DType, Result, Tensor};
use serde::Deserialize;

use crate::hashed;

/// How far from the reference an output may be, relative to its size.
const TOLERANCE: f64 = 1e-4;

#[derive(Deserialize)]
#[serde(untagged)]
enum Expectation {
    Output(Output),
    Checkpoint(Checkpoint),
}

/// What is kept of an output tensor.
#[derive(Deserialize)]
struct Output {
    shape: Vec<usize>,
    norm: f64,
    probe: f64,
    samples: Vec<f64>,
}

/// Number of tensors, and a hash of their names and shapes.
#[derive(Deserialize)]
struct Checkpoint {
    tensors: usize,
    hash: String,
}

static EXPECTED: LazyLock<BTreeMap<String, Expectation>> =
    LazyLock::new(|| serde_json::from_str(include_str!("expected.json")).expect("expected.json is valid"));

/// Asserts that `actual` is the expected output `name`.
pub fn assert_output(name: &str, actual: &Tensor) -> Result<()> {
    let Some(Expectation::Output(expected)) = EXPECTED.get(name) else { panic!("no output {name}") };
    assert_eq!(actual.dims(), expected.shape, "{name}");
    let values: Vec<f64> = actual.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
    let count = values.len();
    let size = expected.norm / (count as f64).sqrt();
    let norm = values.iter().map(|v| v * v).sum::<f64>().sqrt();
    assert!(
        (norm - expected.norm).abs() <= TOLERANCE * expected.norm,
        "{name}: norm {norm}, expected {}",
        expected.norm
    );
    let weights: Vec<f32> = hashed::between("probe", count, -1.0, 1.0)?.to_vec1()?;
    let probe: f64 = values.iter().zip(&weights).map(|(v, w)| v * f64::from(*w)).sum();
    assert!(
        (probe - expected.probe).abs() <= TOLERANCE * expected.norm,
        "{name}: probe {probe}, expected {} (norm {norm})",
        expected.probe
    );
    let samples = expected.samples.len();
    for (i, expected) in expected.samples.iter().enumerate() {
        let actual = values[i * count / samples];
        assert!(
            (actual - expected).abs() <= TOLERANCE * expected.abs().max(size),
            "{name}: sample {i} is {actual}, expected {expected}"
        );
    }
    Ok(())
}

/// Asserts that these `name shape` lines are those of the checkpoint `name`.
pub fn assert_checkpoint(name: &str, mut lines: Vec<String>) {
    let Some(Expectation::Checkpoint(expected)) = EXPECTED.get(name) else { panic!("no checkpoint {name}") };
    assert_eq!(lines.len(), expected.tensors, "{name}");
    lines.sort_unstable();
    assert_eq!(format!("{:016x}", hashed::fnv1a(&lines.concat())), expected.hash, "{name}");
}
