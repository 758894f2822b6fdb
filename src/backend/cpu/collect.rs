//! A epilogue that keeps the integer sums, for those who compare them.

use super::{Epilogue, PANEL, lanes::I32x8};

/// The sums of `[rows, columns]`, `None` where a product left one out.
#[derive(Clone, Debug)]
pub(super) struct Collect {
    columns: usize,
    sums: Vec<Option<i32>>,
}

impl Collect {
    /// Nothing yet.
    pub(super) fn new(rows: usize, columns: usize) -> Self {
        Collect { columns, sums: vec![None; rows * columns] }
    }

    /// All of them, row by row.
    pub(super) fn into_sums(self) -> Vec<Option<i32>> {
        self.sums
    }
}

impl Epilogue for Collect {
    fn tile<const R: usize>(&mut self, row: usize, column: usize, sums: [I32x8; R]) {
        let width = PANEL.min(self.columns - column);
        for (i, sums) in sums.into_iter().enumerate() {
            let out = &mut self.sums[(row + i) * self.columns + column..][..width];
            out.iter_mut().zip(sums.to_array()).for_each(|(out, sum)| *out = Some(sum));
        }
    }
}
