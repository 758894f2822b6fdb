//! The statistics of an evaluation, each held to a reference implementation's numbers: intervals by bootstrap,
//! calibration, the ROC curve, McNemar's test, rank correlation.

pub mod bootstrap;
pub mod calibration;
pub mod mcnemar;
pub mod rank;
pub mod roc;
pub mod selective;
