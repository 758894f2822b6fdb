//! Calibration on real pictures and texts: the activation range of every node of a CNN, the channel means that the correction of
//! biases needs, and the covariance of what layers read, for the rounding of their weights.

use std::collections::{HashMap, HashSet};

use candle_core::{Result, Tensor};

use super::{correlation::Correlation, moments::Moments};
use crate::{
    backend::{LEVELS, Quantization},
    image::cnn::Cnn,
    model::{ConvSpec, LinearParameter, Network},
    text::bert::Bert,
};

/// Bins of a histogram, over both signs.
const BINS: usize = 4096;

/// Values looked at a tensor and batch; more say nothing new.
const SAMPLES: usize = 1 << 17;

/// Cells of a batch of pictures whose covariance is taken.
const CELLS: usize = 4096;

/// Histograms of a CNN's activations, by the name of the node, and what layers read.
#[derive(Clone, Debug, Default)]
pub struct Calibration {
    histograms: HashMap<String, Histogram>,
    means: HashMap<String, Mean>,
    /// By the name of the node that 1x1 convolutions read, or of a text encoder's linear layer.
    moments: HashMap<String, Moments>,
}

/// What is known of a layer's inputs.
#[derive(Clone, Debug)]
pub(super) struct Inputs {
    /// Their means.
    pub means: Vec<f64>,
    /// How they vary together.
    pub correlation: Correlation,
}

/// The running mean of each channel.
#[derive(Clone, Debug, Default)]
struct Mean {
    sums: Vec<f64>,
    batches: u32,
}

/// What the names of a text encoder's parameters begin with.
const TEXT: &str = "text.";

/// The name of the pixels among the means.
const PIXELS: &str = "";

impl Calibration {
    /// An empty calibration.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a batch of `pixels` `[batch, 3, rows, columns]`, prepared as for inference. A few dozen varied pictures suffice.
    ///
    /// # Errors
    /// Those of the CNN.
    pub fn observe(&mut self, cnn: &Cnn, pixels: &Tensor) -> Result<()> {
        self.add_mean(PIXELS, pixels)?;
        let pointwise = read_by_pointwise(cnn.network());
        cnn.forward_observed(pixels, &mut |name, x| {
            self.add_mean(name, x)?;
            if pointwise.contains(name) {
                let cells = x.flatten_from(2)?.transpose(1, 2)?.flatten_to(1)?;
                let step = cells.dim(0)?.div_ceil(CELLS).max(1);
                let some = Tensor::arange_step(0, cells.dim(0)? as u32, step as u32, cells.device())?;
                self.add_rows(name, &cells.index_select(&some, 0)?)?;
            }
            let values = x.flatten_all()?.to_vec1::<f32>()?;
            let step = values.len().div_ceil(SAMPLES).max(1);
            let histogram = self.histograms.entry(name.to_owned()).or_default();
            values.iter().step_by(step).for_each(|&x| histogram.add(x));
            Ok(())
        })?;
        Ok(())
    }

    /// Adds a text of token `ids`. A thousand varied texts suffice.
    ///
    /// # Errors
    /// Those of the encoder.
    pub fn observe_text(&mut self, bert: &Bert, ids: &[u32]) -> Result<()> {
        let device = bert.word_embeddings().device();
        let ids = Tensor::new(ids, device)?.unsqueeze(0)?;
        let mask = ids.ones_like()?.to_dtype(bert.word_embeddings().dtype())?;
        bert.forward_observed(&ids, &mask, &mut |layers: &[LinearParameter], x| {
            let rows = x.flatten_to(1)?;
            layers.iter().try_for_each(|layer| self.add_rows(&format!("{TEXT}{}", layer.name), &rows))
        })?;
        Ok(())
    }

    fn add_rows(&mut self, name: &str, rows: &Tensor) -> Result<()> {
        let width = rows.dim(1)?;
        let moments = self.moments.entry(name.to_owned()).or_insert_with(|| Moments::new(width));
        moments.add(&rows.flatten_all()?.to_vec1::<f32>()?)
    }

    /// The inputs of a text encoder's linear layer or, by the name of the node that it reads, of a 1x1 convolution, if there were
    /// any that vary.
    pub(super) fn inputs(&self, name: &str, width: usize) -> Result<Option<Inputs>> {
        let Some(moments) = self.moments.get(name).filter(|moments| moments.width() == width) else {
            return Ok(None);
        };
        let Some((means, covariance)) = moments.clone().finish()? else { return Ok(None) };
        Ok(Correlation::new(&covariance, width).map(|correlation| Inputs { means, correlation }))
    }

    /// The mean of each channel of the output of `node`; `None` for the pixels.
    pub(super) fn means(&self, node: Option<&str>) -> Option<Vec<f64>> {
        let mean = self.means.get(node.unwrap_or(PIXELS))?;
        Some(mean.sums.iter().map(|sum| sum / f64::from(mean.batches)).collect())
    }

    fn add_mean(&mut self, name: &str, x: &Tensor) -> Result<()> {
        let channels = x.transpose(0, 1)?.flatten_from(1)?.mean(1)?.to_vec1::<f32>()?;
        let mean = self.means.entry(name.to_owned()).or_default();
        mean.sums.resize(channels.len(), 0.0);
        mean.batches += 1;
        for (sum, x) in mean.sums.iter_mut().zip(channels) {
            *sum += f64::from(x);
        }
        Ok(())
    }

    /// The range with the least mean squared error for the outputs of the node `name`, if there were any.
    pub fn range(&self, name: &str) -> Option<Quantization> {
        self.histograms.get(name).map(Histogram::best_range)
    }
}

/// The names of the nodes whose output a 1x1 convolution reads.
fn read_by_pointwise(network: &Network) -> HashSet<&str> {
    let reads = network.nodes.iter().filter(|node| node.conv().is_some_and(ConvSpec::is_pointwise));
    reads.filter_map(|node| Some(network.nodes.get(node.input.checked_sub(1)?)?.name.as_str())).collect()
}

/// Counts of values in equal bins over `-limit..limit`. When a value lies outside, the limit doubles and neighboring
/// bins become one.
#[derive(Clone, Debug)]
struct Histogram {
    counts: Vec<u64>,
    limit: f32,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { counts: vec![0; BINS], limit: 1.0 / 1024.0 }
    }
}

impl Histogram {
    /// Counts a value. Zeros are left out: every range holds them exactly. So is what is not finite.
    fn add(&mut self, x: f32) {
        if x == 0.0 || !x.is_finite() {
            return;
        }
        while x.abs() >= self.limit && self.limit < f32::MAX / 4.0 {
            for bin in 0..BINS / 4 {
                // Outwards from the middle, on both sides at once.
                let (up, down) = (BINS / 2 + bin, BINS / 2 - 1 - bin);
                self.counts[up] = self.counts[BINS / 2 + 2 * bin] + self.counts[BINS / 2 + 2 * bin + 1];
                self.counts[down] = self.counts[BINS / 2 - 1 - 2 * bin] + self.counts[BINS / 2 - 2 - 2 * bin];
            }
            self.counts[..BINS / 4].fill(0);
            self.counts[3 * BINS / 4..].fill(0);
            self.limit *= 2.0;
        }
        let bin = ((x / self.limit + 1.0) * (BINS / 2) as f32) as usize;
        self.counts[bin.min(BINS - 1)] += 1;
    }

    /// Tries both ends at every thirty-second part of what was seen.
    fn best_range(&self) -> Quantization {
        const PARTS: u32 = 32;
        let centre = |bin: usize| ((bin as f64 + 0.5) / (BINS / 2) as f64 - 1.0) * f64::from(self.limit);
        let seen = |bin: &usize| self.counts[*bin] > 0;
        let half = f64::from(self.limit) / BINS as f64;
        let low = (0..BINS).find(seen).map_or(0.0, |bin| (centre(bin) - half).min(0.0));
        let high = (0..BINS).rfind(seen).map_or(0.0, |bin| (centre(bin) + half).max(0.0));
        let total: u64 = self.counts.iter().sum();
        // Each end tried, and the squared error of what lies beyond it.
        let ends = |end: f64, beyond: fn(f64, f64) -> bool| -> Vec<(f64, f64)> {
            let cut = |part: u32| {
                let end = end * f64::from(part) / f64::from(PARTS);
                let errors = (0..BINS).filter(|&bin| seen(&bin) && beyond(centre(bin), end));
                (end, errors.map(|bin| self.counts[bin] as f64 * (centre(bin) - end).powi(2)).sum())
            };
            (PARTS / 4..=PARTS).map(cut).collect()
        };
        let (lows, highs) = (ends(low, |x, end| x < end), ends(high, |x, end| x > end));
        let mut best = (f64::INFINITY, low, high);
        for &(low, below) in lows.iter().rev() {
            for &(high, above) in highs.iter().rev() {
                // Rounding to a step is off by its twelfth squared, on average.
                let step = (high - low) / f64::from(LEVELS);
                let error = below + above + total as f64 * step * step / 12.0;
                if error < best.0 {
                    best = (error, low, high);
                }
            }
        }
        Quantization::covering(best.1 as f32, best.2 as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values: impl IntoIterator<Item = f32>) -> Histogram {
        let mut histogram = Histogram::default();
        values.into_iter().for_each(|x| histogram.add(x));
        histogram
    }

    #[test]
    fn even_values_keep_their_whole_range() {
        let range = histogram((0..60_000).map(|i| i as f32 / 10_000.0)).best_range();
        assert_eq!(range.zero_point, 0);
        assert!((range.scale * 127.0 - 6.0).abs() < 0.01, "{range:?}");
        let range = histogram((-1000..3000).map(|i| i as f32 * 0.01)).best_range();
        assert!(
            (range.dequantize(0) + 10.0).abs() < 0.4 && (range.dequantize(127) - 30.0).abs() < 0.4,
            "{range:?}"
        );
    }

    #[test]
    fn a_lone_outlier_is_cut() {
        let range = histogram((0..100_000).map(|i| (i % 1000) as f32 * 1e-3).chain([40.0])).best_range();
        assert!(range.dequantize(127) < 30.0, "{range:?}");
    }

    #[test]
    fn counts_survive_a_growing_limit() {
        let values: Vec<f32> = (1..5000).map(|i| (i as f32 * 0.37).sin() * i as f32).collect();
        let grown = histogram(values.iter().copied());
        assert_eq!(grown.counts.iter().sum::<u64>(), 4999);
        let negative = values.iter().filter(|&&x| x < 0.0).count() as u64;
        assert_eq!(grown.counts[..BINS / 2].iter().sum::<u64>(), negative);
    }

    #[test]
    fn nothing_and_nonsense_make_a_range_too() {
        for range in [histogram([]).best_range(), histogram([0.0, f32::NAN, f32::INFINITY]).best_range()] {
            assert_eq!(range, Quantization { scale: 1.0, zero_point: 0 });
        }
    }
}
