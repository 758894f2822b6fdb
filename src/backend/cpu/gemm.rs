//! The loop over tiles, shared by every instruction set: it blocks for the caches, the tiles do the arithmetic, and what
//! follows the sums takes them from the registers.

use super::{
    PANEL, PackedMatrix,
    lanes::I32x8,
    packed::{GROUP, Panel},
};

/// Levels of activations that stay in the second cache while the panels pass over them: the weights come from farther
/// away, and are widened, once for all of these rows.
const BLOCK_BYTES: usize = 128 * 1024;

/// The most rows of a block.
const MAX_BLOCK: usize = 256;

/// The activations of a product: rows of levels in `0..=127`, each made of as many runs as the weights have.
///
/// A linear layer has one run a row. A row of a convolution is a window, its runs the kernel's rows as they lie in the
/// grid: no copy of the windows is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lhs<'a> {
    /// The levels, from the first row's first one on.
    pub levels: &'a [u8],
    /// How many rows there are.
    pub count: usize,
    /// Lhs of a line; after so many the next line begins.
    pub line: usize,
    /// Bytes from a row to its neighbor in the line.
    pub step: usize,
    /// Bytes from a line to the next.
    pub line_step: usize,
    /// Bytes from a run to the next.
    pub run_step: usize,
}

impl<'a> Lhs<'a> {
    /// Lhs of one run, `stride` bytes apart.
    pub(crate) fn plain(levels: &'a [u8], count: usize, stride: usize) -> Self {
        Lhs { levels, count, line: count.max(1), step: stride, line_step: 0, run_step: 0 }
    }

    fn start(&self, row: usize) -> usize {
        row / self.line * self.line_step + row % self.line * self.step
    }

    /// Panics unless every row can be read by `weights`.
    fn check(&self, weights: &PackedMatrix) {
        assert!(self.line > 0, "a line has rows");
        let Some(last) = self.count.checked_sub(1) else { return };
        // Starts grow along a line and from line to line, so the farthest is at one of two ends.
        let line_end =
            (last / self.line).checked_sub(1).map_or(0, |line| self.start(line * self.line + self.line - 1));
        let reach = (weights.runs() - 1) * self.run_step + weights.run_bytes();
        assert!(self.start(last).max(line_end) + reach <= self.levels.len(), "activations are too short");
    }
}

/// What takes the sums of a tile: `R` rows from `row` on, of `column..column + 8`. Those of columns that the matrix does
/// not have are zero.
pub(crate) trait Epilogue {
    /// Takes them.
    fn tile<const R: usize>(&mut self, row: usize, column: usize, sums: [I32x8; R]);
}

/// The workspace of a product, in which some instruction sets widen factors to 16 bits. It grows to the largest use and
/// allocates no more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Workspace {
    pub(super) levels: Vec<i16>,
    pub(super) weights: Vec<i16>,
}

/// How an instruction set computes tiles.
pub(super) trait Kernel {
    /// Lhs of the largest tile that stays in registers: 3, 4 or 8.
    const ROWS: usize;

    /// Whether it reads what [`Workspace`] holds instead of the rows' levels and the panel's weights.
    const WIDENS: bool = false;

    /// The sums of `R` rows, which begin at `starts`, with one panel.
    fn tile<const R: usize>(
        rows: &Lhs<'_>,
        starts: &[usize; R],
        panel: &Panel<'_>,
        workspace: &Workspace,
    ) -> [I32x8; R];
}

/// What is compiled once for each instruction set, with its target features: `run` must be inlined.
pub(super) trait Job {
    /// What comes of it.
    type Output;

    /// Does it.
    fn run<K: Kernel>(self) -> Self::Output;
}

/// A matrix product.
struct Product<'a, S> {
    rows: &'a Lhs<'a>,
    weights: &'a PackedMatrix,
    workspace: &'a mut Workspace,
    epilogue: &'a mut S,
}

/// `rows` times the transposed weights, on the instruction set that these were packed for, into `epilogue`.
///
/// # Panics
/// When the rows are too short.
pub(crate) fn gemm(
    rows: &Lhs<'_>,
    weights: &PackedMatrix,
    workspace: &mut Workspace,
    epilogue: &mut impl Epilogue,
) {
    rows.check(weights);
    weights.instruction_set().run(Product { rows, weights, workspace, epilogue });
}

impl<S: Epilogue> Job for Product<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernel>(self) {
        product::<K>(self.rows, self.weights, self.workspace, self.epilogue);
    }
}

#[inline(always)]
fn product<K: Kernel>(
    rows: &Lhs<'_>,
    weights: &PackedMatrix,
    workspace: &mut Workspace,
    epilogue: &mut impl Epilogue,
) {
    const { assert!(matches!(K::ROWS, 3 | 4 | 8)) };
    if K::WIDENS {
        workspace.widen_levels(rows);
    }
    let depth = weights.runs() * weights.run_bytes();
    let most = MAX_BLOCK / K::ROWS * K::ROWS;
    let block = (BLOCK_BYTES / depth).next_multiple_of(K::ROWS).clamp(K::ROWS, most);
    let mut starts = [0; MAX_BLOCK];
    for first in (0..rows.count).step_by(block) {
        let count = block.min(rows.count - first);
        for (i, start) in starts[..count].iter_mut().enumerate() {
            *start = rows.start(first + i);
        }
        for (index, panel) in weights.panels().enumerate() {
            if K::WIDENS {
                workspace.widen_weights(&panel);
            }
            let column = index * PANEL;
            let mut i = 0;
            while i < count {
                let at = (first + i, column);
                let starts = &starts[i..count];
                i += match count - i {
                    8.. if K::ROWS == 8 => tile::<K, 8>(rows, starts, &panel, workspace, at, epilogue),
                    4.. if K::ROWS >= 4 => tile::<K, 4>(rows, starts, &panel, workspace, at, epilogue),
                    3.. if K::ROWS == 3 => tile::<K, 3>(rows, starts, &panel, workspace, at, epilogue),
                    2.. => tile::<K, 2>(rows, starts, &panel, workspace, at, epilogue),
                    _ => tile::<K, 1>(rows, starts, &panel, workspace, at, epilogue),
                };
            }
        }
    }
}

/// Hands the sums of the first `R` of `starts` to `epilogue`, and returns how many that are.
#[inline(always)]
fn tile<K: Kernel, const R: usize>(
    rows: &Lhs<'_>,
    starts: &[usize],
    panel: &Panel<'_>,
    workspace: &Workspace,
    (row, column): (usize, usize),
    epilogue: &mut impl Epilogue,
) -> usize {
    let starts = starts.first_chunk().expect("as many starts as rows");
    epilogue.tile(row, column, K::tile::<R>(rows, starts, panel, workspace));
    R
}

impl Workspace {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Widens all levels of the rows.
    #[inline(always)]
    pub(super) fn widen_levels(&mut self, rows: &Lhs<'_>) {
        self.levels.resize(rows.levels.len(), 0);
        for (wide, &level) in self.levels.iter_mut().zip(rows.levels) {
            *wide = i16::from(level);
        }
    }

    /// Widens the weights of a panel.
    #[inline(always)]
    pub(super) fn widen_weights(&mut self, panel: &Panel<'_>) {
        self.weights.resize(panel.weights.len(), 0);
        for (wide, &w) in self.weights.iter_mut().zip(panel.weights) {
            *wide = i16::from(w);
        }
    }
}

/// Panics unless the tile's rows and the panel hold what it reads; every vector kernel relies on it.
#[inline(always)]
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "aarch64", target_feature = "simd128")),
    allow(dead_code)
)]
pub(super) fn check_tile<const R: usize>(rows: &Lhs<'_>, starts: &[usize; R], panel: &Panel<'_>) {
    let reach = (panel.runs - 1) * rows.run_step + panel.groups * GROUP;
    let farthest = starts.iter().fold(0, |farthest, &start| farthest.max(start));
    assert!(farthest + reach <= rows.levels.len(), "activations are shorter than the tile reads");
    assert!(panel.weights.len() == panel.runs * panel.groups * GROUP * PANEL, "a panel is whole groups");
}
