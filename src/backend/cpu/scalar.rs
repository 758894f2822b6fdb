//! The reference tile: plain Rust, correct by inspection. Every other instruction set gives these very integers.

use super::{
    PANEL,
    gemm::{Kernel, Lhs, Workspace},
    lanes::I32x8,
    packed::{GROUP, GROUP_BYTES, Panel},
};

/// See [`super::InstructionSet::Scalar`].
pub(super) struct Scalar;

impl Kernel for Scalar {
    const ROWS: usize = 4;

    #[inline(always)]
    fn tile<const R: usize>(
        rows: &Lhs<'_>,
        starts: &[usize; R],
        panel: &Panel<'_>,
        _: &Workspace,
    ) -> [I32x8; R] {
        starts.map(|start| {
            let mut sums = [0; PANEL];
            let mut add = |run: usize, group: usize, weights: &[i8]| {
                let levels = &rows.levels[start + run * rows.run_step + group * GROUP..][..GROUP];
                for (sum, weights) in sums.iter_mut().zip(weights.chunks_exact(GROUP)) {
                    for (&x, &w) in levels.iter().zip(weights) {
                        *sum += i32::from(x) * i32::from(w);
                    }
                }
            };
            for (i, weights) in panel.weights.chunks_exact(GROUP_BYTES).enumerate() {
                add(i / panel.groups, i % panel.groups, weights);
            }
            for extra in panel.extras {
                add(extra.run, extra.group, &extra.weights);
            }
            I32x8::from_array(&sums)
        })
    }
}
