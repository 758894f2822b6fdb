//! Which items a logit came from: the share of every token and every cell, which add up to the logit minus a base value.
//!
//! A head of one modality is linear over the mean of its items, so the share of item `x` in the logit of a class with the
//! weights `w` is `w x / n`, and the base value is the bias.
//!
//! The fused head is linear in its items too, once the attention's probabilities and LayerNorm's divisors are taken as the
//! constants that they are for this post (as in layer-wise relevance propagation for transformers, Ali et al. 2022). The
//! logit then comes from the items directly (the residual sum) and through the attention; whatever comes from biases is
//! the base value. Of late fusion, the two heads' probabilities are the constants. Integers round on
//! the way. What that adds to a logit, about a hundredth and less than a tenth with the shipped bundle, is spread over the
//! items in proportion to the magnitude of their shares.

use crate::{
    backend::cpu::{
        linear::Linear,
        math::{dot, exp, exponentials, log_softmax},
        pool::mean_rows,
    },
    model::PerModality,
};

/// The share of every item in the logit of a class.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shares {
    /// The share of each token, if there is a text.
    pub text: Option<Vec<f32>>,
    /// The share of each cell, if there is an image.
    pub image: Option<Vec<f32>>,
    /// The base value, which comes from no item: `base + sum of all shares = logit`.
    pub base: f32,
    /// The logit.
    pub logit: f32,
    /// What rounding to integers added to the logit. The shares include it.
    pub rounding: f32,
}

/// A linear layer seen from its outputs.
pub trait PullBack {
    /// `[outputs]`.
    fn bias(&self) -> &[f32];

    /// Replaces `out` by `W^T gradient`, `[inputs]`, of `gradient` `[outputs]`.
    fn pull_back(&self, gradient: &[f32], out: &mut Vec<f32>);
}

impl PullBack for Linear {
    fn bias(&self) -> &[f32] {
        Linear::bias(self)
    }

    fn pull_back(&self, gradient: &[f32], out: &mut Vec<f32>) {
        Linear::pull_back(self, gradient, out);
    }
}

/// A linear layer of floats.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    /// `[outputs, inputs]`.
    pub weight: Vec<f32>,
    /// `[outputs]`.
    pub bias: Vec<f32>,
}

impl Dense {
    /// Input features.
    pub fn inputs(&self) -> usize {
        self.weight.len() / self.bias.len().max(1)
    }

    /// The weights of one output.
    pub fn row(&self, output: usize) -> &[f32] {
        &self.weight[output * self.inputs()..][..self.inputs()]
    }

    /// With the weights and biases of another added.
    pub fn plus(&self, other: &Dense) -> Dense {
        let sums = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a + b).collect();
        Dense { weight: sums(&self.weight, &other.weight), bias: sums(&self.bias, &other.bias) }
    }

    /// With each weight and bias times `factor`.
    pub fn times(&self, factor: f32) -> Dense {
        let times = |x: &[f32]| x.iter().map(|x| x * factor).collect();
        Dense { weight: times(&self.weight), bias: times(&self.bias) }
    }

    /// The outputs for one vector.
    pub fn forward(&self, x: &[f32]) -> Vec<f32> {
        self.bias.iter().enumerate().map(|(output, bias)| dot(self.row(output), x) + bias).collect()
    }

    /// The outputs for the mean of some rows.
    pub fn forward_mean(&self, rows: &[f32]) -> Vec<f32> {
        let mut mean = vec![0.0; self.inputs()];
        mean_rows(rows, &mut mean);
        self.forward(&mean)
    }
}

impl PullBack for Dense {
    fn bias(&self) -> &[f32] {
        &self.bias
    }

    fn pull_back(&self, gradient: &[f32], out: &mut Vec<f32>) {
        out.clear();
        out.resize(self.inputs(), 0.0);
        for (output, &g) in gradient.iter().enumerate() {
            add_scaled(out, self.row(output), g);
        }
    }
}

/// The shares of items in the logit of their mean: `weight` is the class's row of the head.
pub fn of_mean(weight: &[f32], items: &[f32]) -> Vec<f32> {
    let rows = items.chunks_exact(weight.len().max(1));
    let count = rows.len() as f32;
    rows.map(|row| dot(weight, row) / count).collect()
}

/// The shares of the items in the logit that the head of one modality gives to `class`.
pub fn of_head(head: &Dense, items: &[f32], class: usize) -> (Vec<f32>, f32, f32) {
    (of_mean(head.row(class), items), head.bias[class], head.forward_mean(items)[class])
}

/// The shares of late fusion: of the two heads' log-probabilities with these weights, and a bias. With the probabilities `p`
/// as constants, `ln sum of e^z = sum of p (z - ln p)` is linear in the logits `z`.
pub fn of_late(
    heads: PerModality<&Dense>,
    weights: PerModality<f32>,
    bias: f32,
    items: PerModality<&[f32]>,
    class: usize,
    logit: f32,
) -> Shares {
    let mut base = bias;
    let mut of = |head: &Dense, weight: f32, items: &[f32]| {
        let log_p = log_softmax(&head.forward_mean(items));
        let mut row = vec![0.0; head.inputs()];
        for (other, &log_p) in log_p.iter().enumerate() {
            let factor = weight * (if other == class { 1.0 } else { 0.0 } - exp(log_p));
            add_scaled(&mut row, head.row(other), factor);
            base += factor * head.bias[other] + weight * exp(log_p) * log_p;
        }
        of_mean(&row, items)
    };
    let text = of(heads.text, weights.text, items.text);
    let image = of(heads.image, weights.image, items.image);
    settled(text, image, base, logit)
}

/// The shares of concatenation: `row` and `bias` are the class's in the classifier of both projections.
pub fn of_concat<L: PullBack>(
    projections: PerModality<&L>,
    (row, bias): (&[f32], f32),
    items: PerModality<&[f32]>,
    logit: f32,
) -> Shares {
    let (of_text, of_image) = row.split_at(row.len() / 2);
    let mut base = bias;
    let mut of = |projection: &L, gradient: &[f32], items: &[f32]| {
        let mut pulled = Vec::new();
        projection.pull_back(gradient, &mut pulled);
        base += dot(gradient, projection.bias());
        of_mean(&pulled, items)
    };
    let text = of(projections.text, of_text, items.text);
    let image = of(projections.image, of_image, items.image);
    settled(text, image, base, logit)
}

/// The layers of a fused head with attention.
#[derive(Clone, Copy, Debug)]
pub struct AttentionLayers<'a, L> {
    /// From each encoder's features to the items.
    pub projections: PerModality<&'a L>,
    /// `[2, width]`: added to the items of each modality.
    pub modality: &'a [f32],
    /// The input projection: query, key and value.
    pub in_proj: &'a L,
    /// The output projection of the attention.
    pub out_proj: &'a L,
    /// Weight and bias of the LayerNorm, and what it adds to the variance.
    pub norm: (&'a [f32], &'a [f32], f32),
    /// The class's weights and bias.
    pub classifier: (&'a [f32], f32),
    /// Attention heads.
    pub heads: usize,
    /// Whether the items are tokens and cells, and not the two pooled vectors.
    pub tokens: bool,
}

/// What a fused head with attention computed for a post with both modalities.
#[derive(Clone, Copy, Debug)]
pub struct Trace<'a> {
    /// The items that attend, those of the text first: `[items, width]`.
    pub items: &'a [f32],
    /// How many of them are the text's.
    pub text_items: usize,
    /// Queries, keys and values: `[items, 3 width]`.
    pub query_key_value: &'a [f32],
    /// Items and attention's output, added up: what LayerNorm reads.
    pub sums: &'a [f32],
}

impl<L: PullBack> AttentionLayers<'_, L> {
    /// The shares of `text` and `image`, the encoders' items, in the class's logit.
    pub fn shares(&self, trace: Trace<'_>, items: PerModality<&[f32]>, logit: f32) -> Shares {
        let (weight, norm_bias, eps) = self.norm;
        let width = weight.len();
        let count = trace.items.len() / width.max(1);
        let spread: Vec<f32> =
            trace.sums.chunks_exact(width).map(|row| inverse_deviation(row, eps)).collect();

        // Of the classifier, through the mean over items and LayerNorm's centering: the same for every item.
        let mut direct: Vec<f32> =
            weight.iter().zip(self.classifier.0).map(|(g, w)| g * w / count as f32).collect();
        let centre = direct.iter().sum::<f32>() / width as f32;
        direct.iter_mut().for_each(|g| *g -= centre);
        let mut through = Vec::new();
        self.out_proj.pull_back(&direct, &mut through);

        let mut base = dot(self.classifier.0, norm_bias) + self.classifier.1;
        base += spread.iter().sum::<f32>() * dot(&direct, self.out_proj.bias());
        let through_heads = self.through_values(&through);
        let reached = self.attention(trace.query_key_value, &spread, width);
        let value_bias = &self.in_proj.bias()[2 * width..];
        let depth = width / self.heads;

        let mut shares = PerModality::<Vec<f32>>::default();
        for (k, item) in trace.items.chunks_exact(width).enumerate() {
            let mut gradient: Vec<f32> = direct.iter().map(|g| g * spread[k]).collect();
            for (head, pulled) in through_heads.iter().enumerate() {
                let weight = reached[head * count + k];
                add_scaled(&mut gradient, pulled, weight);
                let values = head * depth..(head + 1) * depth;
                base += weight * dot(&through[values.clone()], &value_bias[values]);
            }
            let (projection, modality, rows, out) = if k < trace.text_items {
                (self.projections.text, &self.modality[..width], items.text, &mut shares.text)
            } else {
                (self.projections.image, &self.modality[width..], items.image, &mut shares.image)
            };
            let constant: Vec<f32> = projection.bias().iter().zip(modality).map(|(b, m)| b + m).collect();
            let of_constant = dot(&gradient, &constant);
            base += of_constant;
            if self.tokens {
                out.push(dot(&gradient, item) - of_constant);
            } else {
                let mut pulled = Vec::new();
                projection.pull_back(&gradient, &mut pulled);
                *out = of_mean(&pulled, rows);
            }
        }
        settled(shares.text, shares.image, base, logit)
    }

    /// For each head, `through` pulled back from the values of that head to an item.
    fn through_values(&self, through: &[f32]) -> Vec<Vec<f32>> {
        let width = through.len();
        let depth = width / self.heads;
        let of_head = |head: usize| {
            let mut gradient = vec![0.0; 3 * width];
            let values = head * depth..(head + 1) * depth;
            gradient[2 * width..][values.clone()].copy_from_slice(&through[values]);
            let mut pulled = Vec::new();
            self.in_proj.pull_back(&gradient, &mut pulled);
            pulled
        };
        (0..self.heads).map(of_head).collect()
    }

    /// `[heads, items]`: how strongly each item was attended to, each attending item weighed by `spread`.
    fn attention(&self, query_key_value: &[f32], spread: &[f32], width: usize) -> Vec<f32> {
        let (count, depth) = (spread.len(), width / self.heads);
        let scale = 1.0 / (depth as f32).sqrt();
        let part = |item: usize, part: usize, head: usize| {
            &query_key_value[item * 3 * width + part * width + head * depth..][..depth]
        };
        let mut reached = vec![0.0; self.heads * count];
        let mut row = vec![0.0; count];
        for (head, reached) in reached.chunks_exact_mut(count.max(1)).enumerate() {
            for (j, &spread) in spread.iter().enumerate() {
                for (k, score) in row.iter_mut().enumerate() {
                    *score = dot(part(j, 0, head), part(k, 1, head)) * scale;
                }
                let factor = spread / exponentials(&mut row);
                add_scaled(reached, &row, factor);
            }
        }
        reached
    }
}

/// Spreads what rounding added over all shares, in proportion to their magnitudes.
fn settled(mut text: Vec<f32>, mut image: Vec<f32>, base: f32, logit: f32) -> Shares {
    let all = || text.iter().chain(&image);
    let rounding = logit - base - all().sum::<f32>();
    let magnitude: f32 = all().map(|share| share.abs()).sum();
    if magnitude > 0.0 {
        let factor = rounding / magnitude;
        text.iter_mut().chain(&mut image).for_each(|share| *share += share.abs() * factor);
    }
    Shares { text: Some(text), image: Some(image), base, logit, rounding }
}

/// `1 / sqrt(variance + eps)` of a row.
fn inverse_deviation(row: &[f32], eps: f32) -> f32 {
    let count = row.len() as f32;
    let mean = row.iter().sum::<f32>() / count;
    let variance = row.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / count;
    1.0 / (variance + eps).sqrt()
}

fn add_scaled(sum: &mut [f32], x: &[f32], factor: f32) {
    sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += x * factor);
}
