//! What a bundle holds, as one list: quantisation writes it, dequantisation reads it back, and random bundles are made
//! from it. The plans read the same names.

use crate::{
    config::ModelConfig,
    fusion::FusionKind,
    image::{
        Preprocess,
        architecture::{Activation, ConvSpec, Network, Shortcut},
    },
    kernels::quantize::Quantization,
};

/// Classes: negative, neutral, positive.
const CLASSES: usize = 3;

/// A named part of a model; see [`Kind`] for the tensors that it consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name, without the tensor's.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

/// The kinds of parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{name}.weight` I8 `[rows, width]` and `{name}.scale` `[rows]`.
    Embedding {
        /// Entries of the table.
        rows: usize,
        /// Width of an entry.
        width: usize,
    },
    /// `{name}.weight` I8 `[outputs, inputs]`, `{name}.scale` and `{name}.bias` `[outputs]`.
    Linear {
        /// Numbers out.
        outputs: usize,
        /// Numbers in.
        inputs: usize,
    },
    /// `{name}.weight` I8 `[out, kernel, kernel, in / groups]`, `{name}.scale` and `{name}.bias` `[out]`; BatchNorm is
    /// folded in.
    Conv(ConvSpec),
    /// F32 `[2]` under the name itself: scale and zero point of the activations that pass there, after this activation.
    Range(Activation),
    /// F32 `[1]` under the name itself: what a head's logits are divided by.
    Temperature,
    /// F32 of this shape under the name itself.
    Floats(Vec<usize>),
}

/// Every part of a model, in the order of the forward pass.
pub fn schema(config: &ModelConfig) -> Vec<Part> {
    let mut parts = Parts(Vec::new());
    let channels = config.image.architecture.network().channels;
    parts.text(config);
    parts.image(&config.image.architecture.network());
    parts.linear("heads.text", CLASSES, config.text.hidden_size);
    parts.linear("heads.image", CLASSES, channels);
    parts.fusion(config, channels);
    for name in ["contradiction.scale", "contradiction.bias"] {
        parts.floats(name, &[1]);
    }
    for head in ["text", "image", "fused"] {
        parts.add(format!("temperature.{head}"), Kind::Temperature);
    }
    parts.0
}

struct Parts(Vec<Part>);

impl Parts {
    fn add(&mut self, name: impl Into<String>, kind: Kind) {
        self.0.push(Part { name: name.into(), kind });
    }

    fn linear(&mut self, name: impl Into<String>, outputs: usize, inputs: usize) {
        self.add(name, Kind::Linear { outputs, inputs });
    }

    fn floats(&mut self, name: impl Into<String>, shape: &[usize]) {
        self.add(name, Kind::Floats(shape.to_vec()));
    }

    fn layer_norm(&mut self, name: &str, width: usize) {
        self.floats(format!("{name}.weight"), &[width]);
        self.floats(format!("{name}.bias"), &[width]);
    }

    fn text(&mut self, config: &ModelConfig) {
        let config = &config.text;
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        for (table, rows) in [
            ("word_embeddings", config.vocab_size),
            ("position_embeddings", config.max_position_embeddings),
            ("token_type_embeddings", config.type_vocab_size),
        ] {
            self.add(format!("text.embeddings.{table}"), Kind::Embedding { rows, width });
        }
        self.layer_norm("text.embeddings.LayerNorm", width);
        for layer in 0..config.num_hidden_layers {
            let name = format!("text.encoder.layer.{layer}");
            for part in ["query", "key", "value"] {
                self.linear(format!("{name}.attention.self.{part}"), width, width);
            }
            self.linear(format!("{name}.attention.output.dense"), width, width);
            self.layer_norm(&format!("{name}.attention.output.LayerNorm"), width);
            self.linear(format!("{name}.intermediate.dense"), inner, width);
            self.linear(format!("{name}.output.dense"), width, inner);
            self.layer_norm(&format!("{name}.output.LayerNorm"), width);
        }
    }

    fn image(&mut self, network: &Network) {
        self.add("image.input", Kind::Range(Activation::None));
        for conv in network.convs() {
            self.add(format!("image.{}", conv.name), Kind::Conv(conv.clone()));
        }
        for (name, activation) in quantized_outputs(network) {
            self.add(format!("image.{name}.output"), Kind::Range(activation));
        }
    }

    fn fusion(&mut self, config: &ModelConfig, channels: usize) {
        let width = config.fusion.width;
        if config.fusion.kind == FusionKind::Late {
            self.floats("fusion.late", &[2, CLASSES]);
            self.floats("fusion.late_bias", &[CLASSES]);
            return;
        }
        for (side, features) in [("text", config.text.hidden_size), ("image", channels)] {
            self.linear(format!("fusion.{side}"), width, features);
            self.floats(format!("fusion.missing.{side}"), &[width]);
        }
        if config.fusion.kind == FusionKind::Concat {
            self.linear("fusion.classifier", CLASSES, 2 * width);
            return;
        }
        self.floats("fusion.modality", &[2, width]);
        self.linear("fusion.attention.in_proj", 3 * width, width);
        self.linear("fusion.attention.out_proj", width, width);
        self.layer_norm("fusion.norm", width);
        self.linear("fusion.classifier", CLASSES, width);
    }
}

/// The names under which the int8 plan quantises an output, and the activation before it: every convolution's and every
/// residual sum's, but not that of a convolution which is added up at once, nor the last grid's, which stays real.
fn quantized_outputs(network: &Network) -> Vec<(&str, Activation)> {
    let mut outputs = vec![(network.stem.name.as_str(), network.stem.activation)];
    for block in &network.blocks {
        let convs = block.convs.iter().map(|conv| (conv.name.as_str(), conv.activation));
        match &block.shortcut {
            Shortcut::None => outputs.extend(convs),
            shortcut => {
                if let Shortcut::Projection(conv) = shortcut {
                    outputs.push((&conv.name, conv.activation));
                }
                outputs.extend(convs.take(block.convs.len().saturating_sub(1)));
                outputs.push((&block.name, block.activation));
            }
        }
    }
    if network.head.is_none() {
        outputs.pop();
    }
    outputs
}

/// Every value that a pixel can become.
pub(super) fn input_range(preprocess: &Preprocess) -> Quantization {
    let ends = |pixel: f32| (0..3).map(move |c| (pixel - preprocess.mean[c]) / preprocess.std[c]);
    Quantization::covering(ends(0.0).fold(0.0, f32::min), ends(1.0).fold(0.0, f32::max))
}
