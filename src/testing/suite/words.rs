//! Cases of the text encoder's operations. Their numbers are rows of embeddings: the words' levels times a scale of the
//! row, a position, and a token type.

use super::{
    Case, Expected, Operations,
    definitions::{attend, layer_norm, linear, quantized_row},
    weights::{Maker, Size, Weights, identity},
};
use crate::{
    backend::Backend,
    bundle::BundleError,
    model::{HiddenActivation, LayerNormParameter, LinearParameter, TextParameters},
};

/// Embeddings and what is done with them.
#[derive(Clone, Debug)]
pub struct Words {
    text: TextParameters,
    /// The tokens of each text.
    texts: Vec<Vec<u32>>,
    then: Then,
}

/// What follows the embeddings.
#[derive(Clone, Debug)]
enum Then {
    Nothing,
    /// Of the sum with the embeddings of other words, or of the embeddings alone.
    LayerNorm {
        norm: LayerNormParameter,
        residual: Option<Vec<Vec<u32>>>,
    },
    /// Of the quantized rows.
    Linear {
        layers: Vec<LinearParameter>,
        activation: Option<HiddenActivation>,
    },
    Attend {
        width: usize,
        heads: usize,
    },
}

impl Words {
    pub fn output<B: Backend>(&self, backend: &mut B, source: &B::Source) -> Result<B::Reals, B::Error> {
        let tables = backend.make_embeddings(source, &self.text)?;
        let (mut x, mut out) = (B::Reals::default(), B::Reals::default());
        let embed = |backend: &mut B, texts: &[Vec<u32>], out: &mut B::Reals| {
            let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
            backend.embed(&tables, &texts, out);
        };
        embed(backend, &self.texts, &mut x);
        Ok(match &self.then {
            Then::Nothing => x,
            Then::LayerNorm { norm, residual } => {
                let norm = backend.make_layer_norm(source, norm)?;
                if let Some(texts) = residual {
                    embed(backend, texts, &mut out);
                }
                backend.layer_norm(&norm, &mut x, residual.is_some().then_some(&out));
                x
            }
            Then::Linear { layers, activation } => {
                let linear = backend.make_linear(source, layers)?;
                let mut rows = B::Rows::default();
                backend.quantize_rows(&x, self.text.words.width, &mut rows);
                backend.linear(&linear, &mut rows, *activation, &mut out);
                out
            }
            Then::Attend { width, heads } => {
                let lengths: Vec<usize> = self.texts.iter().map(Vec::len).collect();
                backend.attend(&x, &lengths, *width, *heads, &mut out);
                out
            }
        })
    }
}

/// What the embeddings of a case hold.
#[derive(Clone, Copy, Debug)]
enum Rows {
    /// Floats of many digits, about as large as this.
    Reals(f32),
    /// Each row is some levels of a scale of its own, the lowest and the highest among them: what quantizing it gives.
    Levels(Size),
}

/// Tables, the ids of texts and of others as long, and the rows of reals that these give.
struct Embedded {
    text: TextParameters,
    texts: Vec<Vec<u32>>,
    rows: Vec<Vec<f64>>,
    other_texts: Vec<Vec<u32>>,
    other_rows: Vec<Vec<f64>>,
}

/// Of texts of these `lengths`.
fn embeddings(
    maker: &mut Maker,
    lengths: &[usize],
    width: usize,
    rows: Rows,
) -> Result<Embedded, BundleError> {
    let count: usize = lengths.iter().sum();
    let vocabulary = 2 * count;
    let mut levels = Vec::new();
    for _ in 0..vocabulary {
        let zero = maker.integer(0, 127);
        let row: Vec<i32> = (0..width)
            .map(|i| match (rows, i) {
                (Rows::Reals(_), _) => maker.integer(-128, 127),
                // Where a row has but one number it is zero's neighbour to one side.
                (Rows::Levels(_), 0) => 127 - zero,
                (Rows::Levels(_), 1) => -zero,
                (Rows::Levels(Size::Usual), _) => maker.integer(-zero, 127 - zero),
                (Rows::Levels(Size::Extreme), _) => 127 * maker.integer(0, 1) - zero,
            })
            .collect();
        levels.extend(row.into_iter().map(|level| level as i8));
    }
    let positions: Vec<i8> = (0..count * width).map(|_| maker.random.level()).collect();
    let types: Vec<i8> = (0..2 * width).map(|_| maker.random.level()).collect();
    let (word_scale, other_scale) = match rows {
        Rows::Reals(size) => {
            (maker.random.around(vocabulary, 1.0).iter().map(|x| x * size / 100.0).collect(), size / 25_000.0)
        }
        // Powers of two: so that a level is exactly itself.
        Rows::Levels(_) => {
            ((0..vocabulary).map(|_| 2f32.powi(maker.integer(-9, -3))).collect::<Vec<_>>(), 0.0)
        }
    };
    let (position_scale, type_scale) = (vec![other_scale; count], vec![other_scale; 2]);
    let text = TextParameters {
        words: maker.table(width, &levels, &word_scale)?,
        positions: maker.table(width, &positions, &position_scale)?,
        token_types: maker.table(width, &types, &type_scale)?,
        norm: LayerNormParameter { name: String::new(), width, eps: 0.0 },
        layers: Vec::new(),
    };
    let ids: Vec<u32> = (0..count).map(|_| maker.integer(0, vocabulary as i32 - 1) as u32).collect();
    let other_ids: Vec<u32> = ids.iter().rev().map(|id| (id + 1) % vocabulary as u32).collect();
    let row = |(position, id): (usize, &u32)| {
        let id = *id;
        let number = |i: usize| {
            let at =
                |levels: &[i8], row: usize, scale: f32| f64::from(levels[row * width + i]) * f64::from(scale);
            at(&levels, id as usize, word_scale[id as usize])
                + at(&positions, position, other_scale)
                + at(&types, 0, other_scale)
        };
        (0..width).map(number).collect()
    };
    let apart = |ids: &[u32]| {
        let mut ids = ids.iter().copied();
        lengths.iter().map(|&length| ids.by_ref().take(length).collect()).collect::<Vec<Vec<u32>>>()
    };
    let (texts, other_texts) = (apart(&ids), apart(&other_ids));
    let of = |texts: &[Vec<u32>]| texts.iter().flat_map(|text| text.iter().enumerate().map(row)).collect();
    let (rows, other_rows) = (of(&texts), of(&other_texts));
    Ok(Embedded { text, texts, rows, other_texts, other_rows })
}

pub fn cases() -> Result<Vec<Case>, BundleError> {
    let mut cases = Vec::new();
    let embedded: [(&[usize], usize); 5] =
        [(&[1], 1), (&[3], 8), (&[7], 33), (&[32], 384), (&[4, 0, 1, 6], 9)];
    for (seed, (lengths, width)) in embedded.into_iter().enumerate() {
        for size in [1.0, 1e-12, 1e12] {
            let mut maker = Maker::new(seed as u64);
            let Embedded { text, texts, rows, .. } =
                embeddings(&mut maker, lengths, width, Rows::Reals(size))?;
            // A sum of floats is off by its parts' rounding, however small it is itself.
            let within = |&value: &f64| Expected { value, tolerance: 1e-6 * f64::from(size) };
            let embedded = rows.iter().flatten().map(within).collect();
            let words = Words { text, texts, then: Then::Nothing };
            cases.push(case(format!("embed {lengths:?}x{width} of about {size:e}"), maker, words, embedded)?);

            let mut maker = Maker::new(seed as u64);
            let Embedded { text, texts, rows, .. } =
                embeddings(&mut maker, lengths, width, Rows::Reals(size))?;
            let layers = vec![maker.linear(width, &identity(width))?];
            let quantized = rows.iter().flat_map(|row| quantized_row(row)).collect();
            let words = Words { text, texts, then: Then::Linear { layers, activation: None } };
            cases.push(case(
                format!("quantize_rows {lengths:?}x{width} of about {size:e}"),
                maker,
                words,
                quantized,
            )?);
        }
    }
    for (seed, (count, width, size, eps)) in [
        (1, 1, 1.0, 1e-12),
        (3, 7, 1.0, 1e-5),
        (5, 16, 1e-4, 1e-12),
        (4, 33, 1e4, 1e-5),
        (9, 384, 1.0, 1e-12),
    ]
    .into_iter()
    .enumerate()
    {
        for has_residual in [false, true] {
            let mut maker = Maker::new(100 + seed as u64);
            let Embedded { text, texts, mut rows, other_texts, other_rows } =
                embeddings(&mut maker, &[count], width, Rows::Reals(size))?;
            let (weight, bias) = (maker.random.around(width, 1.0), maker.random.around(width, 0.0));
            let norm = maker.norm(&weight, &bias, eps)?;
            let residual = has_residual.then_some(other_texts);
            if has_residual {
                rows.iter_mut().flatten().zip(other_rows.iter().flatten()).for_each(|(x, other)| *x += other);
            }
            let expected = rows.iter().flat_map(|row| layer_norm(row, &weight, &bias, eps)).collect();
            let name = format!("layer_norm {count}x{width} of about {size:e}, residual {has_residual}");
            cases.push(case(
                name,
                maker,
                Words { text, texts, then: Then::LayerNorm { norm, residual } },
                expected,
            )?);
        }
    }
    for (seed, (count, inputs, outputs, size)) in [
        (1, 2, 1, Size::Usual),
        (1, 4, 8, Size::Extreme),
        (3, 5, 9, Size::Usual),
        (5, 31, 3, Size::Extreme),
        (7, 64, 17, Size::Usual),
        (8, 64, 17, Size::Extreme),
        (33, 40, 8, Size::Usual),
        (13, 54, 24, Size::Extreme),
        (2, 1536, 16, Size::Usual),
        (2, 1536, 16, Size::Extreme),
    ]
    .into_iter()
    .enumerate()
    {
        for activation in [
            None,
            Some(HiddenActivation::Gelu),
            Some(HiddenActivation::GeluNew),
            Some(HiddenActivation::Relu),
        ] {
            let mut maker = Maker::new(200 + seed as u64);
            let Embedded { text, texts, rows, .. } =
                embeddings(&mut maker, &[count], inputs, Rows::Levels(size))?;
            // Each output about one, whatever the depth.
            let scale = 1.0 / (128.0 * (inputs as f32).sqrt());
            let weights: Vec<Weights> = [outputs, 3].map(|n| maker.weights(n, inputs, size, scale)).into();
            let layers: Vec<_> =
                weights.iter().map(|weights| maker.linear(inputs, weights)).collect::<Result<_, _>>()?;
            let expected =
                rows.iter().flat_map(|row| weights.iter().flat_map(|w| linear(row, w, activation))).collect();
            let name = format!("linear {count}x{inputs}x({outputs}+3), {size:?}, {activation:?}");
            cases.push(case(
                name,
                maker,
                Words { text, texts, then: Then::Linear { layers, activation } },
                expected,
            )?);
        }
    }
    let attended: [(&[usize], usize, usize); 7] = [
        (&[1], 4, 2),
        (&[2], 24, 3),
        (&[13], 40, 4),
        (&[7], 10, 1),
        (&[32], 64, 2),
        (&[5, 1, 0, 13, 8], 24, 2),
        (&[3, 19, 3], 10, 1),
    ];
    for (seed, (lengths, width, heads)) in attended.into_iter().enumerate() {
        for size in [1.0, 16.0] {
            let mut maker = Maker::new(300 + seed as u64);
            let Embedded { text, texts, rows, .. } =
                embeddings(&mut maker, lengths, 3 * width, Rows::Reals(size))?;
            let mut rows = rows.into_iter();
            let mut attended = |&length: &usize| {
                let own: Vec<_> = rows.by_ref().take(length).collect();
                attend(&own.concat(), width, heads)
            };
            let expected = lengths.iter().flat_map(&mut attended).collect();
            let name = format!("attend {lengths:?}x{width} with {heads} heads, of about {size}");
            cases.push(case(
                name,
                maker,
                Words { text, texts, then: Then::Attend { width, heads } },
                expected,
            )?);
        }
    }
    Ok(cases)
}

fn case(name: String, maker: Maker, words: Words, expected: Vec<Expected>) -> Result<Case, BundleError> {
    Ok(Case { name, bundle: maker.finish()?, expected, operations: Operations::Words(Box::new(words)) })
}
