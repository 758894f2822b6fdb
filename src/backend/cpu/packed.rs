//! Weights laid out for the register tile, the same for every instruction set but for extra groups.

use super::InstructionSet;

/// Output columns of a tile: eight `i32` sums are two wasm vectors or one of AVX2.
pub(crate) const PANEL: usize = 8;

/// Neighbors in depth that a byte-dot instruction adds up.
pub(super) const GROUP: usize = 4;

/// Bytes of a group in all columns of a panel.
pub(super) const GROUP_BYTES: usize = GROUP * PANEL;

/// Longest sum of products that cannot leave `i32`: `2 * 65536 * 127 * 128 < 2^31`.
pub(crate) const MAX_DEPTH: usize = 65_536;

/// The largest sum of weights of one sign that `i16` holds, each times the largest activation.
const SHORT_SUM: i16 = i16::MAX / 127;

/// `depth` rounded up to the groups of four that a tile reads: the least stride of activation rows. What stands in the
/// padding does not matter (as long as it is in `0..=127`): its weights are zero.
pub(crate) const fn padded_depth(depth: usize) -> usize {
    depth.next_multiple_of(GROUP)
}

/// How many bytes behind its last run a row may be read: see [`padded_depth`].
pub(crate) const SLACK: usize = GROUP - 1;

/// A `[columns, depth]` matrix of int8 weights, cut into panels of [`PANEL`] columns. Within a panel come groups of four
/// neighbors in depth, column by column: the 32 bytes that one step of a tile consumes lie together. Depth is made of
/// equally long runs (the rows of a convolution's kernel; a linear layer has one), each padded to whole groups, and the
/// columns are padded to whole panels, with zeros.
///
/// Where the instruction set adds up in 16 bits first (`has_short_sums`), the two groups of a pair must
/// fit them. If a pair does not, its second group is taken out, and is kept among the panel's extra groups instead:
/// the sum is the same. Trained weights are bell-shaped, so one pair in a hundred is concerned.
#[derive(Clone, Debug)]
pub(crate) struct PackedMatrix {
    columns: usize,
    runs: usize,
    run: usize,
    data: Vec<i8>,
    sums: Vec<i32>,
    set: InstructionSet,
    extras: Vec<Extra>,
    /// Where each panel's extras begin, and where the last one's end.
    bounds: Vec<usize>,
}

/// A group that is added by itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extra {
    /// Its run.
    pub run: usize,
    /// Its place in the run.
    pub group: usize,
    /// Its weights, as they would stand in the panel.
    pub weights: [i8; GROUP_BYTES],
}

/// What a tile consumes: eight columns of weights.
#[derive(Clone, Copy, Debug)]
pub(super) struct Panel<'a> {
    /// `runs * groups` groups.
    pub weights: &'a [i8],
    /// Runs of a row.
    pub runs: usize,
    /// Groups of a run.
    pub groups: usize,
    /// Each within the runs and groups; none unless the matrix was packed for short sums.
    pub extras: &'a [Extra],
}

impl PackedMatrix {
    /// Packs `weights`, `[columns, runs, run]` row by row, for an instruction set.
    ///
    /// # Panics
    /// When the length is not `columns * runs * run`, any of them is zero, or the depth is above [`MAX_DEPTH`].
    pub(crate) fn new(set: InstructionSet, weights: &[i8], columns: usize, runs: usize, run: usize) -> Self {
        let depth = runs * run;
        assert!(columns > 0 && (1..=MAX_DEPTH).contains(&depth), "a matrix has columns and a bounded depth");
        assert_eq!(weights.len(), columns * depth, "weights are [columns, runs, run]");
        let panels = columns.div_ceil(PANEL);
        let groups = run.div_ceil(GROUP);
        let panel_len = runs * groups * GROUP_BYTES;
        let mut data = vec![0; panels * panel_len];
        let mut sums = vec![0; panels * PANEL];
        for (column, row) in weights.chunks_exact(depth).enumerate() {
            let panel = &mut data[column / PANEL * panel_len..][..panel_len];
            let panel_groups = panel.chunks_exact_mut(groups * GROUP_BYTES);
            for (weights, out) in row.chunks_exact(run).zip(panel_groups) {
                for (four, out) in weights.chunks(GROUP).zip(out.chunks_exact_mut(GROUP_BYTES)) {
                    out[column % PANEL * GROUP..][..four.len()].copy_from_slice(four);
                }
            }
            sums[column] = row.iter().map(|&w| i32::from(w)).sum();
        }
        let mut packed = PackedMatrix {
            columns,
            runs,
            run,
            data,
            sums,
            set,
            extras: Vec::new(),
            bounds: vec![0; panels + 1],
        };
        if set.has_short_sums() {
            packed.take_out_extras(groups);
        }
        packed
    }

    fn take_out_extras(&mut self, groups: usize) {
        let run_len = groups * GROUP_BYTES;
        for (index, panel) in self.data.chunks_exact_mut(self.runs * run_len).enumerate() {
            for (run, weights) in panel.chunks_exact_mut(run_len).enumerate() {
                for (pair, weights) in weights.chunks_exact_mut(2 * GROUP_BYTES).enumerate() {
                    let (first, second) = weights.split_at_mut(GROUP_BYTES);
                    if fits_short_sums(first, second) {
                        continue;
                    }
                    let mut taken = [0; GROUP_BYTES];
                    taken.swap_with_slice(second);
                    self.extras.push(Extra { run, group: 2 * pair + 1, weights: taken });
                }
            }
            self.bounds[index + 1] = self.extras.len();
        }
    }

    /// Output columns.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// Length of the sums, without padding.
    pub(crate) fn depth(&self) -> usize {
        self.runs * self.run
    }

    /// Runs of a row.
    pub(crate) fn runs(&self) -> usize {
        self.runs
    }

    /// Bytes that are read of a run, whole groups.
    pub(crate) fn run_bytes(&self) -> usize {
        padded_depth(self.run)
    }

    /// The sum of each column's weights, padded with zeros to whole panels: what a zero point is multiplied with.
    pub(crate) fn sums(&self) -> &[i32] {
        &self.sums
    }

    /// Adds the transposed matrix times `x` to `out`, `[depth]`: of a matrix of one run. `x` is `[columns]`, padded with zeros
    /// to whole panels. In floats, for what is computed once a post.
    pub(super) fn transposed_product(&self, x: &[f32], out: &mut [f32]) {
        for (panel, x) in self.panels().zip(x.as_chunks::<PANEL>().0) {
            if x.iter().all(|&x| x == 0.0) {
                continue;
            }
            for (weights, out) in panel.weights.chunks_exact(GROUP_BYTES).zip(out.chunks_mut(GROUP)) {
                add_group(weights, x, out);
            }
            for extra in panel.extras {
                let start = extra.group * GROUP;
                let end = out.len().min(start + GROUP);
                add_group(&extra.weights, x, &mut out[start..end]);
            }
        }
    }

    /// What they were packed for.
    pub(super) fn instruction_set(&self) -> InstructionSet {
        self.set
    }

    /// The packed panels, in order.
    pub(super) fn panels(&self) -> impl Iterator<Item = Panel<'_>> {
        let (runs, groups) = (self.runs, self.run.div_ceil(GROUP));
        let bounds = self.bounds.iter().zip(&self.bounds[1..]);
        self.data.chunks_exact(runs * groups * GROUP_BYTES).zip(bounds).map(move |(weights, (&from, &to))| {
            Panel { weights, runs, groups, extras: &self.extras[from..to] }
        })
    }
}

/// Adds each of the group's four neighbors in depth, summed over the columns with the weights `x`, to `out`.
#[inline(always)]
fn add_group(weights: &[i8], x: &[f32; PANEL], out: &mut [f32]) {
    let mut sums = [0.0; GROUP];
    for (four, &x) in weights.as_chunks::<GROUP>().0.iter().zip(x) {
        for (sum, &weight) in sums.iter_mut().zip(four) {
            *sum += f32::from(weight) * x;
        }
    }
    out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum);
}

/// Whether the products of two groups fit `i16` when the neighbors of both are added up: activations are never negative,
/// so the weights of each sign bound the sum.
fn fits_short_sums(first: &[i8], second: &[i8]) -> bool {
    let largest =
        first.as_chunks::<2>().0.iter().zip(second.as_chunks::<2>().0).fold(0, |largest, (a, b)| {
            let [a, b, c, d] = [a[0], a[1], b[0], b[1]].map(i16::from);
            let positive = a.max(0) + b.max(0) + c.max(0) + d.max(0);
            // The sum is what is positive less what is negative.
            largest.max(positive).max(positive - (a + b + c + d))
        });
    largest <= SHORT_SUM
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_sums_are_bounded_by_the_weights_of_one_sign() {
        let fits = |four: [i8; 4]| {
            let [mut first, mut second] = [[0; GROUP_BYTES]; 2];
            first[10..12].copy_from_slice(&four[..2]);
            second[10..12].copy_from_slice(&four[2..]);
            fits_short_sums(&first, &second)
        };
        assert!(fits([127, 127, 4, -128]) && !fits([127, 127, 5, -128]));
        assert!(fits([-128, -128, -2, 127]) && !fits([-128, -128, -3, 127]));
        let worst = |four: [i32; 4]| 127 * four.iter().sum::<i32>();
        assert!(
            worst([127, 127, 4, 0]) <= i32::from(i16::MAX) && worst([127, 127, 5, 0]) > i32::from(i16::MAX)
        );
    }
}
