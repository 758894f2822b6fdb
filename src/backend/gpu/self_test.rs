//! Holds a GPU to the integers of the CPU, on small products that reach the ends of their range.

use super::{
    Conv, Gpu, GpuError, Levels, Linear, Reals, Rows,
    memory::Memory,
    operations::Output,
    weights::{Shape, WORD, words},
};
use crate::{
    backend::{Backend, Quantization, cpu::requantize::Requantize},
    model::Activation,
};

/// Xorshift (Marsaglia 2003).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u32
    }

    /// Levels, at the ends only or anywhere.
    fn levels(&mut self, count: usize, extremes: bool) -> Vec<u8> {
        let mut level = || match self.next() {
            r if extremes => 127 * u8::from(!r.is_multiple_of(4)),
            r => (r % 128) as u8,
        };
        (0..count).map(|_| level()).collect()
    }

    /// Weights, at the ends only or anywhere.
    fn weights(&mut self, count: usize, extremes: bool) -> Vec<i8> {
        let mut weight = || match self.next() {
            r if extremes => [-128, -127, 127, 127][r as usize % 4],
            r => r as i8,
        };
        (0..count).map(|_| weight()).collect()
    }
}

/// A convolution of two pictures.
#[derive(Clone, Copy, Debug)]
struct Case {
    side: usize,
    in_channels: usize,
    out_channels: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    is_depthwise: bool,
}

/// Odd sizes, each kernel of the encoders among them.
const CASES: [Case; 6] = [
    Case { side: 3, in_channels: 5, out_channels: 9, kernel: 1, stride: 1, padding: 0, is_depthwise: false },
    Case {
        side: 6,
        in_channels: 64,
        out_channels: 40,
        kernel: 1,
        stride: 1,
        padding: 0,
        is_depthwise: false,
    },
    Case { side: 7, in_channels: 6, out_channels: 33, kernel: 3, stride: 2, padding: 1, is_depthwise: false },
    Case {
        side: 1,
        in_channels: 1536,
        out_channels: 8,
        kernel: 1,
        stride: 1,
        padding: 0,
        is_depthwise: false,
    },
    Case { side: 7, in_channels: 16, out_channels: 16, kernel: 3, stride: 1, padding: 1, is_depthwise: true },
    Case { side: 6, in_channels: 24, out_channels: 24, kernel: 5, stride: 2, padding: 2, is_depthwise: true },
];

impl Gpu {
    /// Compares integer sums of products, convolutions and depthwise convolutions with the CPU's. All must be equal.
    ///
    /// # Errors
    /// [`GpuError::Wrong`]: do not use this GPU. And those of a device that fails.
    pub async fn self_test(&mut self) -> Result<(), GpuError> {
        let mut random = Random(0x2545_f491_4f6c_dd1d);
        for extremes in [false, true] {
            for case in CASES {
                self.test_conv(case, extremes, &mut random).await?;
            }
            self.test_linear((33, 68, 35), extremes, &mut random).await?;
        }
        Ok(())
    }

    async fn test_conv(&mut self, case: Case, extremes: bool, random: &mut Random) -> Result<(), GpuError> {
        let Case { side, in_channels, out_channels, kernel, stride, padding, is_depthwise } = case;
        let shape = Shape {
            is_depthwise,
            in_channels,
            out_channels,
            kernel,
            stride,
            padding,
            zero_point: 9,
            in_side: side,
            out_side: (side + 2 * padding - kernel) / stride + 1,
        };
        let inputs = if is_depthwise { 1 } else { in_channels };
        let (pictures, area) = (2, side * side);
        let levels = random.levels(pictures * area * in_channels, extremes);
        let weights = random.weights(out_channels * kernel * kernel * inputs, extremes);
        let one = vec![1.0; out_channels];
        let range = Quantization { scale: 1.0, zero_point: 9 };
        let sums = shape.weight_sums(&weights);
        let requantize = Requantize::new(&sums, &one, &one, range, None, Activation::None, None);
        let conv = Conv::new(&mut self.context, &weights, shape, &requantize)?;

        let mut bytes = Vec::new();
        for cell in levels.chunks_exact(in_channels) {
            bytes.extend_from_slice(cell);
            bytes.resize(bytes.len().next_multiple_of(WORD), 0);
        }
        let size = (pictures * area * words(in_channels) * WORD) as u64;
        let memory = Memory::holding(size, self.context.upload(bytes)?);
        let mut out = Memory::default();
        self.convolve(&conv, &Levels { memory, pictures }, None, Output::Sums, &mut out);
        let count = pictures * shape.out_side * shape.out_side * out_channels;
        let found = self.words(out.piece(), count).await?;
        let expected = definition(&shape, &levels, &weights);
        let found = found.as_chunks::<WORD>().0.iter().map(|&word| i32::from_le_bytes(word));
        if found.len() == expected.len() && found.eq(expected) {
            return Ok(());
        }
        Err(self.wrong(format!("sums of {case:?}")))
    }

    /// Sums below 2^24 with factors of 1: floats hold them exactly.
    async fn test_linear(
        &mut self,
        (rows, inputs, outputs): (usize, usize, usize),
        extremes: bool,
        random: &mut Random,
    ) -> Result<(), GpuError> {
        let levels = random.levels(rows * inputs, extremes);
        let weights = random.weights(outputs * inputs, extremes);
        let (one, zero) = (vec![1.0; outputs], vec![0.0; outputs]);
        let linear = Linear::new(&mut self.context, &weights, &one, &zero, inputs)?;
        let zero_points: Vec<i32> = (0..rows).map(|row| row as i32 * 5 % 128).collect();
        let ranges = zero_points.iter().flat_map(|&zero| [1.0f32, zero as f32]);
        let ranges = ranges.flat_map(f32::to_le_bytes).collect();
        let quantizations = Memory::holding((8 * rows) as u64, self.context.upload(ranges)?);
        let size = levels.len() as u64;
        let mut x =
            Rows { levels: Memory::holding(size, self.context.upload(levels.clone())?), quantizations, rows };
        let mut out = Reals::default();
        self.linear(&linear, &mut x, None, &mut out);
        let found = self.read(&out).await?;
        let expected = levels.chunks_exact(inputs).zip(&zero_points).flat_map(|(row, zero)| {
            let product = move |(&x, &w): (&u8, &i8)| (i32::from(x) - zero) * i32::from(w);
            weights.chunks_exact(inputs).map(move |w| row.iter().zip(w).map(product).sum::<i32>() as f32)
        });
        if found.len() == rows * outputs && found.into_iter().eq(expected) {
            return Ok(());
        }
        Err(self.wrong(format!("a product of {rows}x{inputs} by {inputs}x{outputs}")))
    }

    fn wrong(&self, reason: String) -> GpuError {
        self.context.is_broken.store(true, std::sync::atomic::Ordering::Relaxed);
        GpuError::Wrong { reason }
    }
}

/// The sums of a convolution, zero point taken off, number by number.
fn definition(shape: &Shape, levels: &[u8], weights: &[i8]) -> Vec<i32> {
    let Shape { in_channels, out_channels, kernel, in_side, out_side, .. } = *shape;
    let picture = in_side * in_side * in_channels;
    let mut sums = Vec::new();
    for (i, picture) in
        levels.chunks_exact(picture).flat_map(|p| (0..out_side * out_side).map(move |i| (i, p)))
    {
        for (channel, weights) in weights.chunks_exact(weights.len() / out_channels).enumerate() {
            let mut sum = 0;
            for (tap, weights) in weights.chunks_exact(weights.len() / (kernel * kernel)).enumerate() {
                let y = (i / out_side * shape.stride + tap / kernel).checked_sub(shape.padding);
                let x = (i % out_side * shape.stride + tap % kernel).checked_sub(shape.padding);
                let (Some(y), Some(x)) = (y.filter(|&y| y < in_side), x.filter(|&x| x < in_side)) else {
                    continue;
                };
                let first = if shape.is_depthwise { channel } else { 0 };
                let cell = &picture[(y * in_side + x) * in_channels + first..];
                let product =
                    |(&x, &w): (&u8, &i8)| (i32::from(x) - i32::from(shape.zero_point)) * i32::from(w);
                sum += cell.iter().zip(weights).map(product).sum::<i32>();
            }
            sums.push(sum);
        }
    }
    sums
}
