//! Bundles of random weights: everything that a real bundle has, except that its answers mean nothing. For tests and for
//! building a page before there is a model.

pub mod suite;

use crate::{
    backend::{Quantization, pixel_range},
    bundle::{BundleError, BundleWriter},
    model::{
        Activation, Architecture, BertConfig, CnnConfig, ConfigError, Filter, Fit, FusionConfig, FusionKind,
        HiddenActivation, Labels, ModelConfig, Node, Parameter, Parameters, Preprocess, TEXT_PREPARATION,
    },
};

/// The standard deviation of four numbers of 0..64, added up: `sqrt(4 (64^2 - 1) / 12)`.
const LEVEL_DEVIATION: f32 = 36.95;

/// Whole words that [`tiny_tokenizer`] knows, beside letters, digits and punctuation.
const WORDS: [&str; 12] =
    ["the", "a", "is", "i", "love", "hate", "happy", "sad", "sun", "rain", "perfect", "solitude"];

/// A model of a few thousand text weights with EfficientNet-Lite0 on small pictures, for [`tiny_tokenizer`].
pub fn tiny_config() -> ModelConfig {
    ModelConfig {
        text: BertConfig {
            vocab_size: vocabulary().len(),
            hidden_size: 16,
            num_hidden_layers: 2,
            num_attention_heads: 2,
            intermediate_size: 32,
            hidden_act: HiddenActivation::Gelu,
            max_position_embeddings: 32,
            type_vocab_size: 2,
            layer_norm_eps: 1e-12,
            hidden_dropout_prob: 0.1,
            attention_probs_dropout_prob: 0.1,
            pad_token_id: 0,
        },
        max_tokens: 32,
        text_preparation: TEXT_PREPARATION,
        labels: Labels::sentiment(),
        image: CnnConfig { architecture: Architecture::EfficientnetLite0 },
        preprocess: Preprocess {
            input_size: 64,
            fit: Fit::Stretch,
            filter: Filter::Bicubic,
            mean: [0.5; 3],
            std: [0.5; 3],
        },
        fusion: FusionConfig { kind: FusionKind::Pooled, width: 16, heads: 2, dropout: 0.1 },
    }
}

/// A `tokenizer.json` of BERT's kind with about a hundred WordPieces: it spells out most words.
pub fn tiny_tokenizer() -> String {
    let vocab: serde_json::Map<_, _> =
        vocabulary().into_iter().enumerate().map(|(id, token)| (token, id.into())).collect();
    let special = |content: &str| {
        serde_json::json!({
            "id": vocab.get(content), "content": content, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true
        })
    };
    let added_tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"].map(special);
    let frame = |token: &str| serde_json::json!({ "SpecialToken": { "id": token, "type_id": 0 } });
    let token =
        |token: &str| serde_json::json!({ "id": token, "ids": [vocab.get(token)], "tokens": [token] });
    serde_json::json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added_tokens,
        "normalizer": {
            "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
            "lowercase": true
        },
        "pre_tokenizer": { "type": "BertPreTokenizer" },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [frame("[CLS]"), { "Sequence": { "id": "A", "type_id": 0 } }, frame("[SEP]")],
            "pair": [
                frame("[CLS]"), { "Sequence": { "id": "A", "type_id": 0 } }, frame("[SEP]"),
                { "Sequence": { "id": "B", "type_id": 1 } }
            ],
            "special_tokens": { "[CLS]": token("[CLS]"), "[SEP]": token("[SEP]") }
        },
        "decoder": { "type": "WordPiece", "prefix": "##", "cleanup": true },
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocab
        }
    })
    .to_string()
}

fn vocabulary() -> Vec<String> {
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"].map(String::from);
    let characters = ('a'..='z').chain('0'..='9');
    let pieces = characters.flat_map(|c| [c.to_string(), format!("##{c}")]);
    let marks = "!?.,:;'\"()-#@".chars().map(String::from);
    let words = WORDS.iter().filter(|word| word.len() > 1).map(|&word| word.to_owned());
    special.into_iter().chain(pieces).chain(marks).chain(words).collect()
}

/// The bytes of a bundle for `config` and `tokenizer_json` whose weights follow from `seed` alone.
///
/// # Errors
/// [`ConfigError`] when `config` makes no model.
pub fn random_bundle(config: &ModelConfig, tokenizer_json: &str, seed: u64) -> Result<Vec<u8>, ConfigError> {
    let mut writer = config.begin_bundle(tokenizer_json)?;
    writer.metadata("created_by", "random weights")?;
    let mut random = Random(seed);
    let network = config.image.architecture.network();
    let rectified = |node: &&Node| node.residual.is_none() && node.activation != Activation::None;
    let rectified: Vec<_> = network.nodes.iter().filter(rectified).map(|node| &node.name).collect();
    for parameter in Parameters::new(config).all() {
        match parameter {
            Parameter::Embedding(table) => {
                random.weight(&mut writer, &table.name, &[table.rows, table.width], 1.0)?;
            }
            Parameter::Linear(linear) => {
                let (name, outputs, inputs) = (&linear.name, linear.outputs, linear.inputs);
                random.weight(&mut writer, name, &[outputs, inputs], 1.0 / (inputs as f32).sqrt())?;
                writer.f32(&format!("{name}.bias"), &[outputs], &random.around(outputs, 0.0))?;
            }
            Parameter::LayerNorm(norm) => {
                let [weight, bias] = norm.tensors();
                writer.f32(&weight, &[norm.width], &random.around(norm.width, 1.0))?;
                writer.f32(&bias, &[norm.width], &random.around(norm.width, 0.0))?;
            }
            Parameter::Conv(conv) => {
                // He et al. 2015: what keeps the activations' size through ReLUs.
                let [out, inputs, rows, columns] = conv.spec.weight_shape();
                let gain = if rectified.contains(&&conv.spec.name) { 2.0 } else { 1.0 };
                let spread = (gain / (inputs * rows * columns) as f32).sqrt();
                random.weight(&mut writer, &conv.name, &[out, rows, columns, inputs], spread)?;
                writer.f32(&format!("{}.bias", conv.name), &[out], &random.around(out, 0.0))?;
            }
            Parameter::Range(range) => {
                let (low, high) = range.activation.bounds();
                let quantization = match range.node {
                    None => pixel_range(&config.preprocess),
                    Some(_) => Quantization::covering(low.max(-6.0), high.min(6.0)),
                };
                writer.f32(&range.name, &[2], &[quantization.scale, f32::from(quantization.zero_point)])?;
            }
            Parameter::Temperature(name) => writer.f32(&name, &[1], &random.around(1, 1.0))?,
            Parameter::Threshold(name) => writer.f32(&name, &[1], &[0.5])?,
            Parameter::Vector(vector) => {
                let factor = [".scale", ".late"].iter().any(|end| vector.name.ends_with(end));
                let centre = if factor { 1.0 } else { 0.0 };
                let values = random.around(vector.shape.iter().product(), centre);
                writer.f32(&vector.name, &vector.shape, &values)?;
            }
        }
    }
    Ok(writer.finish()?)
}

/// SplitMix64 (Steele et al. 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers that follow from `seed`.
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// The next number.
    #[allow(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// `len` values within a tenth of `centre`.
    pub fn around(&mut self, len: usize, centre: f32) -> Vec<f32> {
        (0..len).map(|_| centre + ((self.next() >> 40) as f32 / (1u64 << 24) as f32 - 0.5) * 0.2).collect()
    }

    /// A level as trained weights have them: bell-shaped, of standard deviation `LEVEL_DEVIATION`.
    pub fn level(&mut self) -> i8 {
        // Four numbers of 0..64, centered.
        let sum: u64 = self.next().to_le_bytes()[..4].iter().map(|&byte| u64::from(byte % 64)).sum();
        (sum as i32 - 126).clamp(-127, 127) as i8
    }

    /// Bell-shaped levels, and scales that give the weights the standard deviation `spread`.
    fn weight(
        &mut self,
        writer: &mut BundleWriter,
        name: &str,
        shape: &[usize],
        spread: f32,
    ) -> Result<(), BundleError> {
        let len = shape.iter().product();
        let levels: Vec<i8> = (0..len).map(|_| self.level()).collect();
        writer.i8(&format!("{name}.weight"), shape, &levels)?;
        let rows = shape.first().copied().unwrap_or(1);
        let scale = spread / LEVEL_DEVIATION;
        let scales: Vec<f32> = self.around(rows, 1.0).into_iter().map(|factor| factor * scale).collect();
        writer.f32(&format!("{name}.scale"), &[rows], &scales)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backend::Cpu,
        bundle::Bundle,
        image::Picture,
        inference::QuantizedModel,
        model::{PerModality, tokenizer_json},
        text::Tokenizer,
    };

    #[test]
    fn a_random_bundle_loads_and_answers() {
        for kind in [FusionKind::Pooled, FusionKind::Tokens, FusionKind::Concat, FusionKind::Late] {
            let mut config = tiny_config();
            config.fusion.kind = kind;
            let bytes = random_bundle(&config, &tiny_tokenizer(), 1).unwrap();
            let mut bundle = Bundle::parse(bytes).unwrap();
            let tokenizer = Tokenizer::from_json(
                tokenizer_json(&bundle).unwrap(),
                config.max_tokens,
                config.text_preparation,
            )
            .unwrap();
            tokenizer.check_vocab(config.text.vocab_size).unwrap();
            let mut model = QuantizedModel::load(Cpu::default(), &mut bundle, &config).unwrap();

            let ids = tokenizer.encode("Perfect solitude, I love it!").unwrap().ids;
            assert!(ids.len() > 5);
            let hidden = model.hidden(&ids).unwrap().clone();
            let picture = Picture::from_rgb(5, 4, (0..60).map(|i| i * 4).collect()).unwrap();
            let grid = model.grid(&picture).clone();
            let (hidden, grid) = (Some(hidden.as_slice()), Some(grid.as_slice()));
            for (text, image) in [(hidden, grid), (hidden, None), (None, grid)] {
                let logits = model.fusion().fused(PerModality { text, image });
                assert!(logits.iter().all(|logit| logit.is_finite()), "{kind:?}: {logits:?}");
            }
        }
    }

    #[test]
    fn a_seed_gives_the_same_bytes() {
        let config = tiny_config();
        let make = |seed| random_bundle(&config, &tiny_tokenizer(), seed).unwrap();
        assert!(make(3) == make(3));
        assert!(make(3) != make(4));
    }
}
