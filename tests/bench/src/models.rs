//! The models that are measured: the shipped one, and random weights in the shapes of larger ones.

use mixed_feelings::model::{
    Architecture, BertConfig, CnnConfig, Filter, Fit, FusionConfig, FusionKind, HiddenActivation, Labels,
    ModelConfig, Preprocess, TEXT_PREPARATION,
};

/// Side of the pictures that all CNNs get.
pub const SIDE: usize = 224;

/// One bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Model {
    /// MiniLM-L6 and EfficientNet-Lite0: the bundle of the package.
    Shipped,
    /// BERT-base and ResNet-50: the `base` preset.
    Base,
    /// EfficientNet-Lite2, with a text encoder of no size.
    Lite2,
    /// ResNet-18, with a text encoder of no size.
    Resnet18,
}

impl Model {
    /// The name of its folder.
    pub fn name(self) -> &'static str {
        match self {
            Model::Shipped => "minilm-lite0",
            Model::Base => "bert-base-resnet50",
            Model::Lite2 => "lite2",
            Model::Resnet18 => "resnet18",
        }
    }

    /// What it is made of.
    pub fn config(self) -> ModelConfig {
        match self {
            Model::Shipped => config(minilm(), Architecture::EfficientnetLite0),
            Model::Base => config(bert_base(), Architecture::Resnet50),
            Model::Lite2 => config(smallest_bert(), Architecture::EfficientnetLite2),
            Model::Resnet18 => config(smallest_bert(), Architecture::Resnet18),
        }
    }
}

fn config(text: BertConfig, architecture: Architecture) -> ModelConfig {
    ModelConfig {
        text,
        max_tokens: 128,
        text_preparation: TEXT_PREPARATION,
        labels: Labels::sentiment(),
        image: CnnConfig { architecture },
        preprocess: Preprocess {
            input_size: SIDE,
            fit: Fit::Stretch,
            filter: Filter::Bicubic,
            mean: [0.5; 3],
            std: [0.5; 3],
        },
        fusion: FusionConfig { kind: FusionKind::Pooled, ..FusionConfig::default() },
    }
}

fn bert(hidden: usize, layers: usize, heads: usize) -> BertConfig {
    BertConfig {
        vocab_size: 30_522,
        hidden_size: hidden,
        num_hidden_layers: layers,
        num_attention_heads: heads,
        intermediate_size: 4 * hidden,
        hidden_act: HiddenActivation::Gelu,
        max_position_embeddings: 512,
        type_vocab_size: 2,
        layer_norm_eps: 1e-12,
        hidden_dropout_prob: 0.1,
        attention_probs_dropout_prob: 0.1,
        pad_token_id: 0,
    }
}

/// all-MiniLM-L6-v2.
fn minilm() -> BertConfig {
    bert(384, 6, 12)
}

/// bert-base-uncased.
fn bert_base() -> BertConfig {
    bert(768, 12, 12)
}

fn smallest_bert() -> BertConfig {
    bert(16, 1, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_a_model() {
        for model in [Model::Shipped, Model::Base, Model::Lite2, Model::Resnet18] {
            model.config().check().unwrap();
        }
    }
}
