//! Depthwise convolution. candle runs a grouped convolution one group at a time; here the CPU walks each channel's
//! plane once for each kernel position, and other devices do the same with whole tensors.

use std::ops::Range;

use candle_core::{Result, Shape, Tensor, WithDType, bail};

use super::{
    conv::Pads,
    fused::{Fused, Gradient, Op, can_fuse},
    real::Real,
};

/// Convolves each channel of `x` `[batch, channels, rows, columns]` with its own kernel of `weight` `[channels, 1,
/// kernel, kernel]`, zeros around as `pads` says. Differentiable in both.
///
/// # Errors
/// When shapes do not fit or the padded input is smaller than the kernel.
pub fn depthwise_conv2d(x: &Tensor, weight: &Tensor, stride: usize, pads: Pads) -> Result<Tensor> {
    let walk = Walk::new(x, weight, stride, pads)?;
    if can_fuse(x) {
        x.contiguous()?.apply_op2(&weight.contiguous()?, Op(walk))
    } else {
        by_shifts(x, weight, stride, pads, &walk)
    }
}

/// The same sum with tensors as terms, one for each kernel position.
fn by_shifts(x: &Tensor, weight: &Tensor, stride: usize, pads: Pads, walk: &Walk) -> Result<Tensor> {
    let padded = pads.apply(x)?;
    let mut sum: Option<Tensor> = None;
    for tap in 0..walk.kernel.0 * walk.kernel.1 {
        let (ky, kx) = (tap / walk.kernel.1, tap % walk.kernel.1);
        let seen = every(&every(&padded, 2, ky, stride, walk.output.0)?, 3, kx, stride, walk.output.1)?;
        let factor = weight.narrow(2, ky, 1)?.narrow(3, kx, 1)?.transpose(0, 1)?;
        let term = seen.broadcast_mul(&factor)?;
        sum = Some(match sum {
            Some(sum) => (sum + term)?,
            None => term,
        });
    }
    sum.ok_or_else(|| candle_core::Error::Msg("depthwise convolution with an empty kernel".into()))
}

/// `len` slices of `x` along `dim`, from `start` on, `step` apart.
pub(super) fn every(x: &Tensor, dim: usize, start: usize, step: usize, len: usize) -> Result<Tensor> {
    if step == 1 {
        return x.narrow(dim, start, len);
    }
    let indices: Vec<u32> = (0..len).map(|i| (start + i * step) as u32).collect();
    x.contiguous()?.index_select(&Tensor::new(indices, x.device())?, dim)
}

/// Which input cells meet which output cells in one channel's plane.
#[derive(Clone, Copy, Debug)]
struct Walk {
    planes: usize,
    channels: usize,
    input: (usize, usize),
    kernel: (usize, usize),
    output: (usize, usize),
    before: (usize, usize),
    stride: usize,
}

impl Walk {
    fn new(x: &Tensor, weight: &Tensor, stride: usize, pads: Pads) -> Result<Self> {
        let (batch, channels, rows, columns) = x.dims4()?;
        let (out, one, kernel_rows, kernel_columns) = weight.dims4()?;
        let (padded_rows, padded_columns) =
            (rows + pads.rows.0 + pads.rows.1, columns + pads.columns.0 + pads.columns.1);
        let fits = padded_rows >= kernel_rows && padded_columns >= kernel_columns;
        if out != channels || one != 1 || stride == 0 || !fits {
            bail!(
                "depthwise convolution of {:?} with {:?}, stride {stride}, {pads:?}",
                x.shape(),
                weight.shape()
            )
        }
        Ok(Walk {
            planes: batch * channels,
            channels,
            input: (rows, columns),
            kernel: (kernel_rows, kernel_columns),
            output: (
                (padded_rows - kernel_rows) / stride + 1,
                (padded_columns - kernel_columns) / stride + 1,
            ),
            before: (pads.rows.0, pads.columns.0),
            stride,
        })
    }

    /// Output cells along one side whose input cell for kernel position `tap` exists, and the first such input cell.
    fn overlap(&self, tap: usize, before: usize, input: usize, output: usize) -> (Range<usize>, usize) {
        let first = before.saturating_sub(tap).div_ceil(self.stride);
        let end = (input + before).saturating_sub(tap).div_ceil(self.stride).min(output);
        (first..end.max(first), (first * self.stride + tap).saturating_sub(before))
    }

    /// Calls `visit(kernel position, output cells, first input cell)` for each run of cells in a row; the input cells
    /// are `stride` apart.
    fn rows(&self, mut visit: impl FnMut(usize, Range<usize>, usize)) {
        for ky in 0..self.kernel.0 {
            let (rows, first_row) = self.overlap(ky, self.before.0, self.input.0, self.output.0);
            for kx in 0..self.kernel.1 {
                let (columns, first) = self.overlap(kx, self.before.1, self.input.1, self.output.1);
                if columns.is_empty() {
                    continue;
                }
                for (i, y) in rows.clone().enumerate() {
                    let out = y * self.output.1;
                    let input = (first_row + i * self.stride) * self.input.1 + first;
                    visit(ky * self.kernel.1 + kx, out + columns.start..out + columns.end, input);
                }
            }
        }
    }

    fn input_cells(&self) -> usize {
        self.input.0 * self.input.1
    }

    fn output_cells(&self) -> usize {
        self.output.0 * self.output.1
    }

    fn taps(&self) -> usize {
        self.kernel.0 * self.kernel.1
    }
}

/// `y += x * factor`, taking every `stride`th of `x`. Stride 1 apart so that it becomes vector code.
fn add_scaled<T: WithDType>(y: &mut [T], x: &[T], stride: usize, factor: T) {
    if stride == 1 {
        for (y, x) in y.iter_mut().zip(x) {
            *y += *x * factor;
        }
    } else {
        for (y, x) in y.iter_mut().zip(x.iter().step_by(stride)) {
            *y += *x * factor;
        }
    }
}

impl Fused<2> for Walk {
    const NAME: &'static str = "depthwise-conv2d";

    fn shape(&self, _: &Shape) -> Shape {
        (self.planes / self.channels.max(1), self.channels, self.output.0, self.output.1).into()
    }

    fn forward<T: Real>(&self, [x, w]: [&[T]; 2]) -> Vec<T> {
        let (n_in, n_out, taps) = (self.input_cells(), self.output_cells(), self.taps());
        let mut result = vec![T::zero(); self.planes * n_out];
        for plane in 0..self.planes {
            let (x, w) = (&x[plane * n_in..][..n_in], &w[plane % self.channels * taps..][..taps]);
            let y = &mut result[plane * n_out..][..n_out];
            self.rows(|tap, out, first| add_scaled(&mut y[out], &x[first..], self.stride, w[tap]));
        }
        result
    }

    fn backward<T: Real>(&self, [x, w]: [&[T]; 2], _: &[T], gradient: &[T]) -> [Gradient<T>; 2] {
        let (n_in, n_out, taps) = (self.input_cells(), self.output_cells(), self.taps());
        let (mut to_x, mut to_weight) = (vec![T::zero(); x.len()], vec![T::zero(); w.len()]);
        for plane in 0..self.planes {
            let channel = plane % self.channels;
            let (x, w) = (&x[plane * n_in..][..n_in], &w[channel * taps..][..taps]);
            let dy = &gradient[plane * n_out..][..n_out];
            let (dx, dw) = (&mut to_x[plane * n_in..][..n_in], &mut to_weight[channel * taps..][..taps]);
            self.rows(|tap, out, first| {
                for (dx, dy) in dx[first..].iter_mut().step_by(self.stride).zip(&dy[out.clone()]) {
                    *dx += *dy * w[tap];
                }
                let mut sum = T::zero();
                for (x, dy) in x[first..].iter().step_by(self.stride).zip(&dy[out]) {
                    sum += *x * *dy;
                }
                dw[tap] += sum;
            });
        }
        [to_x, to_weight].map(Gradient::Of)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Var};

    use super::*;

    /// Both ways to compute it agree with candle's grouped convolution, in value and in gradient.
    #[test]
    fn all_ways_agree() -> Result<()> {
        let dev = &Device::Cpu;
        for (kernel, stride, pads) in [
            (3, 1, Pads { rows: (1, 1), columns: (1, 1) }),
            (3, 2, Pads { rows: (0, 1), columns: (0, 1) }),
            (5, 2, Pads { rows: (1, 2), columns: (1, 2) }),
            (3, 2, Pads { rows: (1, 1), columns: (1, 1) }),
            (5, 1, Pads { rows: (2, 2), columns: (2, 2) }),
        ] {
            // candle's own gradient is there only for square inputs when the stride is not 1.
            let x = Var::randn(0f64, 1.0, (2, 3, 6, 6), dev)?;
            let weight = Var::randn(0f64, 1.0, (3, 1, kernel, kernel), dev)?;
            let walk = Walk::new(&x, &weight, stride, pads)?;
            let outputs = [
                depthwise_conv2d(&x, &weight, stride, pads)?,
                by_shifts(&x, &weight, stride, pads, &walk)?,
                pads.apply(&x)?.conv2d(&weight, 0, stride, 1, 3)?,
            ];
            let mut all = Vec::new();
            for y in &outputs {
                let grads = y.sqr()?.sum_all()?.backward()?;
                let grad = |var: &Var| grads.get(var).expect("a gradient").flatten_all()?.to_vec1::<f64>();
                all.push([y.flatten_all()?.to_vec1::<f64>()?, grad(&x)?, grad(&weight)?].concat());
            }
            for other in &all[1..] {
                assert_eq!(all[0].len(), other.len());
                for (a, b) in all[0].iter().zip(other) {
                    assert!((a - b).abs() < 1e-9, "kernel {kernel}, stride {stride}: {a} against {b}");
                }
            }
        }
        Ok(())
    }

    #[test]
    fn a_kernel_that_does_not_fit_is_an_error() -> Result<()> {
        let x = Tensor::zeros((1, 2, 2, 2), DType::F32, &Device::Cpu)?;
        let none = Pads { rows: (0, 0), columns: (0, 0) };
        let kernel = |channels| Tensor::zeros((channels, 1, 3, 3), DType::F32, &Device::Cpu);
        assert!(depthwise_conv2d(&x, &kernel(2)?, 1, none).is_err());
        assert!(depthwise_conv2d(&x, &kernel(3)?, 1, Pads { rows: (1, 1), columns: (1, 1) }).is_err());
        Ok(())
    }
}
