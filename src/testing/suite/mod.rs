//! One suite for every backend: the same cases for all operations, each with what its definition says.
//!
//! A case uses nothing but the trait: numbers go in through embeddings or pixels, and come out through
//! [`Backend::read`], levels by way of a convolution that copies them. So a backend on another device can be held to it,
//! and one that records can record [`Case::output`] and hold what runs the recording to [`Case::expected`].
//!
//! - [`run`] holds a backend to the definitions, within the tolerance that each number comes with: those of float
//!   rounding, and half a level where a number is quantized.
//! - [`run_bits`] holds it to the scalar instruction set of the CPU, bit for bit, as every instruction set promises.

mod definitions;
mod grids;
pub mod weights;
mod words;

use std::{future::Future, pin::pin, task};

use crate::{
    backend::{
        Backend, Cpu,
        cpu::{self, InstructionSet, Mismatch as SumMismatch},
    },
    bundle::{Bundle, BundleError},
};
pub use definitions::Expected;

/// What the operations of a case are, and where their numbers come from.
#[derive(Clone, Debug)]
enum Operations {
    Words(Box<words::Words>),
    Grid(Box<grids::Grid>),
}

/// An operation with its weights, its input and what should come out.
#[derive(Debug)]
pub struct Case {
    /// The operation and what is special about this case.
    pub name: String,
    /// The weights.
    pub bundle: Bundle,
    /// What the definition says.
    pub expected: Vec<Expected>,
    operations: Operations,
}

impl Case {
    /// Has `backend` do the operations, with weights from `source`, which holds what [`bundle`](Self::bundle) does.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn output<B: Backend>(&self, backend: &mut B, source: &B::Source) -> Result<B::Reals, B::Error> {
        match &self.operations {
            Operations::Words(words) => words.output(backend, source),
            Operations::Grid(grid) => grid.output(backend, source),
        }
    }
}

/// All cases, the same ones each time.
///
/// # Errors
/// [`BundleError`] when a case's weights make no bundle, which is a mistake of the case.
pub fn cases() -> Result<Vec<Case>, BundleError> {
    let mut cases = words::cases()?;
    cases.extend(grids::cases()?);
    Ok(cases)
}

/// What was compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Cases.
    pub cases: usize,
    /// Numbers in all of them.
    pub numbers: usize,
}

/// Why a backend does not pass.
#[derive(Debug, thiserror::Error)]
pub enum Mismatch {
    /// It gave another number.
    #[error("{case}: number {index} is {found}, expected {expected} within {tolerance}")]
    Number {
        /// The case's name.
        case: String,
        /// Which number.
        index: usize,
        /// What came out.
        found: f32,
        /// What should have.
        expected: f64,
        /// How far it may be off; 0 where bits are compared.
        tolerance: f64,
    },
    /// It gave more or fewer numbers.
    #[error("{case}: {found} numbers, expected {expected}")]
    Count {
        /// The case's name.
        case: String,
        /// How many came out.
        found: usize,
        /// How many should have.
        expected: usize,
    },
    /// The backend failed.
    #[error("{case}: {reason}")]
    Backend {
        /// The case's name.
        case: String,
        /// What it said.
        reason: String,
    },
    /// A case could not be made.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The kernels' own test failed.
    #[error(transparent)]
    SelfTest(#[from] SumMismatch),
}

/// Holds `backend` to the definitions.
///
/// # Errors
/// [`Mismatch`] for the first number that is off.
pub async fn run<B>(backend: &mut B) -> Result<Report, Mismatch>
where
    B: Backend<Source = Bundle, Error: std::fmt::Display>,
{
    compare(backend, |case| Ok(case.expected.clone())).await
}

/// Holds `backend` to the scalar instruction set, bit for bit.
///
/// # Errors
/// [`Mismatch`] for the first number that is another.
pub async fn run_bits<B>(backend: &mut B) -> Result<Report, Mismatch>
where
    B: Backend<Source = Bundle, Error: std::fmt::Display>,
{
    let mut scalar = Cpu::with(InstructionSet::Scalar).unwrap_or_default();
    compare(backend, |case| {
        let exactly = |x| Expected { value: f64::from(x), tolerance: 0.0 };
        Ok(case.output(&mut scalar, &case.bundle)?.into_iter().map(exactly).collect())
    })
    .await
}

/// Holds every instruction set of this machine to the scalar one, and that one to the definitions. Returns them, with
/// what was compared for each.
///
/// # Errors
/// The name of the instruction set, and the [`Mismatch`].
pub fn run_cpu() -> Result<Vec<(InstructionSet, Report)>, (InstructionSet, Mismatch)> {
    let sets = InstructionSet::available().into_iter();
    sets.map(|set| run_set(set).map(|report| (set, report)).map_err(|mismatch| (set, mismatch))).collect()
}

/// [`run_cpu`] of one instruction set, which this machine must run.
///
/// # Errors
/// The [`Mismatch`].
pub fn run_set(set: InstructionSet) -> Result<Report, Mismatch> {
    cpu::self_test_of(set)?;
    let mut cpu = Cpu::with(set).unwrap_or_default();
    match set {
        InstructionSet::Scalar => at_once(run(&mut cpu)),
        _ => at_once(run_bits(&mut cpu)),
    }
}

/// Holds a GPU to the definitions: the one of this number, or the one that the system finds best. Its name, and what was
/// compared.
///
/// # Errors
/// The [`Mismatch`], or that there is none.
#[cfg(feature = "webgpu")]
pub async fn run_gpu(index: Option<usize>) -> Result<(String, Report), Mismatch> {
    use crate::backend::gpu::{Gpu, GpuError};

    let failed =
        |error: GpuError| Mismatch::Backend { case: "the GPU itself".into(), reason: error.to_string() };
    let mut gpu = Gpu::open(index).await.map_err(failed)?;
    gpu.self_test().await.map_err(failed)?;
    let report = run(&mut gpu).await?;
    let adapter = gpu.adapter();
    let dots = if adapter.has_dot_products { "dot products" } else { "no dot products" };
    Ok((format!("{} ({}, {dots})", adapter.name, adapter.backend), report))
}

async fn compare<B>(
    backend: &mut B,
    mut expected: impl FnMut(&Case) -> Result<Vec<Expected>, BundleError>,
) -> Result<Report, Mismatch>
where
    B: Backend<Source = Bundle, Error: std::fmt::Display>,
{
    let mut report = Report { cases: 0, numbers: 0 };
    for case in cases()? {
        let failed =
            |error: B::Error| Mismatch::Backend { case: case.name.clone(), reason: error.to_string() };
        let output = case.output(backend, &case.bundle).map_err(failed)?;
        let found = backend.read(&output).await.map_err(failed)?;
        let expected = expected(&case)?;
        check(&case.name, &found, &expected)?;
        report.cases += 1;
        report.numbers += found.len();
    }
    Ok(report)
}

/// Holds the numbers of a case to what was expected; a tolerance of 0 asks for the same bits.
///
/// # Errors
/// [`Mismatch`] for the first number that is off.
pub fn check(case: &str, found: &[f32], expected: &[Expected]) -> Result<(), Mismatch> {
    if found.len() != expected.len() {
        return Err(Mismatch::Count { case: case.into(), found: found.len(), expected: expected.len() });
    }
    for (index, (&found, &Expected { value, tolerance })) in found.iter().zip(expected).enumerate() {
        let fits = match tolerance {
            0.0 => found.to_bits() == (value as f32).to_bits(),
            _ => (f64::from(found) - value).abs() <= tolerance,
        };
        if !fits {
            return Err(Mismatch::Number { case: case.into(), index, found, expected: value, tolerance });
        }
    }
    Ok(())
}

/// The result of what never waits: the CPU, and, outside of a page, the GPU, which blocks.
pub fn at_once<F: Future>(future: F) -> F::Output {
    let mut context = task::Context::from_waker(task::Waker::noop());
    match pin!(future).poll(&mut context) {
        task::Poll::Ready(output) => output,
        task::Poll::Pending => unreachable!("neither the CPU nor a native GPU waits"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_of_this_machine_passes() {
        let reports = run_cpu().unwrap_or_else(|(set, mismatch)| panic!("{}: {mismatch}", set.name()));
        assert_eq!(reports.len(), InstructionSet::available().len());
        let all = reports[0].1;
        for (set, report) in reports {
            println!("{}: {} cases, {} numbers", set.name(), report.cases, report.numbers);
            assert_eq!(report, all);
        }
    }

    #[test]
    fn another_number_is_seen() {
        let exactly = |value| Expected { value, tolerance: 0.0 };
        assert!(check("c", &[1.0, 2.0], &[exactly(1.0), exactly(2.0)]).is_ok());
        assert!(check("c", &[1.0, 2.0], &[exactly(1.0), exactly(f64::from(2.0f32.next_up()))]).is_err());
        assert!(check("c", &[0.0], &[exactly(-0.0)]).is_err());
        assert!(check("c", &[1.0], &[exactly(1.0), exactly(2.0)]).is_err());
        let within = Expected { value: 1.0, tolerance: 0.1 };
        assert!(check("c", &[1.05], &[within]).is_ok());
        assert!(check("c", &[1.2], &[within]).is_err() && check("c", &[f32::NAN], &[within]).is_err());
    }

    #[test]
    fn names_are_distinct() {
        let mut names: Vec<String> = cases().unwrap().into_iter().map(|case| case.name).collect();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
