//! A linear layer with int8 weights over rows quantised on the fly.

use super::{PANEL, PackedMatrix, gemm, quantize::QuantizedRows};

/// `y = x W^T + b` with int8 weights `[outputs, inputs]`, each output scaled by its own factor.
#[derive(Clone, Debug)]
pub struct Linear {
    weights: PackedMatrix,
    scale: Vec<f32>,
    bias: Vec<f32>,
}

impl Linear {
    /// From `weights` `[outputs, inputs]`, and `scale` and `bias`, each `[outputs]`.
    ///
    /// # Panics
    /// When the lengths do not fit, or as [`PackedMatrix::new`].
    pub fn new(weights: &[i8], scale: &[f32], bias: &[f32], inputs: usize) -> Self {
        let outputs = scale.len();
        assert_eq!(bias.len(), outputs, "one bias an output");
        Linear {
            weights: PackedMatrix::new(weights, outputs, inputs),
            scale: padded(scale),
            bias: padded(bias),
        }
    }

    /// Numbers a row in.
    pub fn inputs(&self) -> usize {
        self.weights.depth()
    }

    /// Numbers a row out.
    pub fn outputs(&self) -> usize {
        self.weights.columns()
    }

    /// The product, into `out` `[rows, outputs]`. The integer sums are exact, their zero points taken off before they
    /// become floats.
    ///
    /// # Panics
    /// When `out` has another length or the rows another width.
    pub fn forward(&self, x: &QuantizedRows, out: &mut [f32]) {
        let (rows, outputs) = (x.rows().len(), self.outputs());
        assert_eq!(out.len(), rows * outputs, "out is [rows, outputs]");
        gemm(x.data(), x.stride(), rows, &self.weights, |row, column, sums| {
            let quantization = x.rows()[row];
            let zero = i32::from(quantization.zero_point);
            let weight_sums = &self.weights.sums()[column..][..PANEL];
            let (scale, bias) = (&self.scale[column..][..PANEL], &self.bias[column..][..PANEL]);
            let mut y = [0.0; PANEL];
            for j in 0..PANEL {
                y[j] = (sums[j] - zero * weight_sums[j]) as f32 * (quantization.scale * scale[j]) + bias[j];
            }
            let out = &mut out[row * outputs..][..outputs][column..];
            match out.first_chunk_mut::<PANEL>() {
                Some(out) => *out = y,
                None => out.copy_from_slice(&y[..out.len()]),
            }
        });
    }
}

/// `x` with zeros up to whole panels.
pub(super) fn padded(x: &[f32]) -> Vec<f32> {
    let mut x = x.to_vec();
    x.resize(x.len().next_multiple_of(PANEL), 0.0);
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_dequantised_product() {
        for (rows, inputs, outputs) in [(1, 3, 2), (5, 33, 9), (9, 64, 24)] {
            let weights: Vec<i8> = (0..inputs * outputs).map(|i| (i * 89 % 255) as u8 as i8).collect();
            let scale: Vec<f32> = (0..outputs).map(|i| 0.001 + i as f32 * 1e-4).collect();
            let bias: Vec<f32> = (0..outputs).map(|i| i as f32 - 1.0).collect();
            let x: Vec<f32> = (0..rows * inputs).map(|i| (i * 53 % 41) as f32 * 0.1 - 1.3).collect();
            let mut q = QuantizedRows::new();
            q.quantize(&x, inputs);
            let mut out = vec![0.0; rows * outputs];
            Linear::new(&weights, &scale, &bias, inputs).forward(&q, &mut out);
            for (i, y) in out.into_iter().enumerate() {
                let (row, column) = (i / outputs, i % outputs);
                let exact: f64 = (0..inputs)
                    .map(|k| {
                        let x = q.rows()[row].dequantize(q.data()[row * q.stride() + k]);
                        f64::from(x) * f64::from(weights[column * inputs + k]) * f64::from(scale[column])
                    })
                    .sum::<f64>()
                    + f64::from(bias[column]);
                assert!((f64::from(y) - exact).abs() < 1e-4 * (1.0 + exact.abs()), "{y} for {exact}");
            }
        }
    }
}
