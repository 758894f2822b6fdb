//! Every parameter of a model by name and shape, as one typed tree. The float model, the quantized model, quantization and
//! random models all take their names from here.

use super::{
    Activation, BertConfig, ConvSpec, FusionConfig, FusionKind, Modality, ModelConfig, NORM_EPS, Network,
    PerModality, Temperatures, Thresholds,
};

/// A table of vectors: `{name}.weight` `[rows, width]`; in a bundle with `{name}.scale` `[rows]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddingParameter {
    /// Its name, without the tensor's.
    pub name: String,
    /// Entries of the table.
    pub rows: usize,
    /// Width of an entry.
    pub width: usize,
}

/// A linear layer: `{name}.weight` `[outputs, inputs]` and `{name}.bias` `[outputs]`; in a bundle with `{name}.scale`
/// `[outputs]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinearParameter {
    /// Its name, without the tensor's.
    pub name: String,
    /// Numbers out.
    pub outputs: usize,
    /// Numbers in.
    pub inputs: usize,
    /// How a checkpoint writes it.
    pub layout: LinearLayout,
}

/// How a checkpoint writes a linear layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinearLayout {
    /// `{name}.weight` `[outputs, inputs]` and `{name}.bias`.
    Linear,
    /// The input projection of torch's attention: `{name}_weight` and `{name}_bias`.
    Attention,
    /// A convolution of one cell: `{name}.weight` is `[outputs, inputs, 1, 1]`.
    Pointwise,
}

impl LinearParameter {
    /// The names of weight and bias in a checkpoint.
    pub fn float_names(&self) -> [String; 2] {
        let separator = if self.layout == LinearLayout::Attention { '_' } else { '.' };
        ["weight", "bias"].map(|tensor| format!("{}{separator}{tensor}", self.name))
    }

    /// The shape of the weight in a checkpoint.
    pub fn float_shape(&self) -> Vec<usize> {
        let (outputs, inputs) = (self.outputs, self.inputs);
        match self.layout {
            LinearLayout::Linear | LinearLayout::Attention => vec![outputs, inputs],
            LinearLayout::Pointwise => vec![outputs, inputs, 1, 1],
        }
    }
}

/// A LayerNorm: `{name}.weight` and `{name}.bias`, `[width]` each.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNormParameter {
    /// Its name, without the tensor's.
    pub name: String,
    /// Numbers a row.
    pub width: usize,
    /// What it adds to the variance.
    pub eps: f64,
}

/// A convolution with its BatchNorm folded in: `{name}.weight`, in a bundle `[out, kernel, kernel, in / groups]` with
/// `{name}.scale`, and `{name}.bias` `[out]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvParameter {
    /// Its name, without the tensor's.
    pub name: String,
    /// Channels, kernel, stride and padding.
    pub spec: ConvSpec,
}

/// An activation range: a tensor `[2]` in a bundle, scale and zero point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeParameter {
    /// The tensor's name.
    pub name: String,
    /// The node whose output has this range, by name; `None` for the pixels.
    pub node: Option<String>,
    /// The activation before it.
    pub activation: Activation,
}

/// A tensor of floats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VectorParameter {
    /// The tensor's name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
}

/// A BERT encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct TextParameters {
    /// One vector for each WordPiece.
    pub words: EmbeddingParameter,
    /// One for each position.
    pub positions: EmbeddingParameter,
    /// One for each token type.
    pub token_types: EmbeddingParameter,
    /// Over their sum.
    pub norm: LayerNormParameter,
    /// The layers, in order.
    pub layers: Vec<LayerParameters>,
}

/// A layer of a BERT encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerParameters {
    /// Query, key and value.
    pub query_key_value: [LinearParameter; 3],
    /// Behind the attention.
    pub attention_output: LinearParameter,
    /// Over the residual sum behind it.
    pub attention_norm: LayerNormParameter,
    /// The feed-forward layer, up.
    pub intermediate: LinearParameter,
    /// The feed-forward layer, down.
    pub output: LinearParameter,
    /// Over the residual sum behind it.
    pub output_norm: LayerNormParameter,
}

impl TextParameters {
    /// Those of `config`, with Hugging Face's names behind `prefix`.
    pub fn new(config: &BertConfig, prefix: &str) -> Self {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let table =
            |name: &str, rows| EmbeddingParameter { name: format!("{prefix}embeddings.{name}"), rows, width };
        let norm = |name: String| LayerNormParameter { name, width, eps: config.layer_norm_eps };
        let layer = |number: usize| {
            let part = |part: &str| format!("{prefix}encoder.layer.{number}.{part}");
            let linear = |name: &str, outputs, inputs| {
                let layout = LinearLayout::Linear;
                LinearParameter { name: part(name), outputs, inputs, layout }
            };
            LayerParameters {
                query_key_value: ["query", "key", "value"]
                    .map(|which| linear(&format!("attention.self.{which}"), width, width)),
                attention_output: linear("attention.output.dense", width, width),
                attention_norm: norm(part("attention.output.LayerNorm")),
                intermediate: linear("intermediate.dense", inner, width),
                output: linear("output.dense", width, inner),
                output_norm: norm(part("output.LayerNorm")),
            }
        };
        TextParameters {
            words: table("word_embeddings", config.vocab_size),
            positions: table("position_embeddings", config.max_position_embeddings),
            token_types: table("token_type_embeddings", config.type_vocab_size),
            norm: norm(format!("{prefix}embeddings.LayerNorm")),
            layers: (0..config.num_hidden_layers).map(layer).collect(),
        }
    }
}

/// A CNN encoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageParameters {
    /// The network that the parameters belong to.
    pub network: Network,
    /// The convolutions, in order.
    pub convs: Vec<ConvParameter>,
    /// The linear layers, in order.
    pub linears: Vec<LinearParameter>,
    /// The ranges of the pixels and of each quantized output.
    pub ranges: Vec<RangeParameter>,
}

impl ImageParameters {
    /// Those of `network`, with the checkpoint's names behind `prefix`.
    pub fn new(network: Network, prefix: &str) -> Self {
        let convs = network
            .convs()
            .map(|spec| ConvParameter { name: format!("{prefix}{}", spec.name), spec: spec.clone() })
            .collect();
        let linears = network
            .linears()
            .map(|linear| LinearParameter { name: format!("{prefix}{}", linear.name), ..linear.clone() })
            .collect();
        let pixels =
            RangeParameter { name: format!("{prefix}input"), node: None, activation: Activation::None };
        let outputs = network.quantized().map(|node| RangeParameter {
            name: format!("{prefix}{}.output", node.name),
            node: Some(node.name.clone()),
            activation: node.activation,
        });
        ImageParameters { convs, linears, ranges: std::iter::once(pixels).chain(outputs).collect(), network }
    }

    /// The range that the levels of a value of the network have; see [`Network::range_of`].
    ///
    /// # Panics
    /// For the last value, which stays real.
    pub fn range_of(&self, value: usize) -> &RangeParameter {
        let node = self.network.range_of(value).map(|node| &node.name);
        let range = self.ranges.iter().find(|range| range.node.as_ref() == node);
        range.expect("every value but the last has a range")
    }
}

/// The fused head, one of [`FusionKind`].
#[derive(Clone, Debug, PartialEq)]
pub enum FusionParameters {
    /// [`FusionKind::Pooled`] and [`FusionKind::Tokens`].
    Attention {
        /// From each encoder's features to the common width.
        projections: PerModality<LinearParameter>,
        /// What stands in for a missing modality.
        missing: PerModality<VectorParameter>,
        /// `[2, width]`: added to each item of the text, then of the image.
        modality: VectorParameter,
        /// Query, key and value in one.
        in_proj: LinearParameter,
        /// Behind the attention.
        out_proj: LinearParameter,
        /// Over the residual sum.
        norm: LayerNormParameter,
        /// From the mean of the items to the logits.
        classifier: LinearParameter,
    },
    /// [`FusionKind::Concat`].
    Concat {
        /// From each encoder's features to the common width.
        projections: PerModality<LinearParameter>,
        /// What stands in for a missing modality.
        missing: PerModality<VectorParameter>,
        /// From both vectors, concatenated, to the logits.
        classifier: LinearParameter,
    },
    /// [`FusionKind::Late`].
    Late {
        /// `[2, classes]`: the weights of the text head's and the image head's log-probabilities.
        weights: VectorParameter,
        /// `[classes]`.
        bias: VectorParameter,
    },
}

impl FusionParameters {
    /// Those of `config` behind `prefix`, for encoders with so many features and for so many classes.
    pub fn new(config: &FusionConfig, features: PerModality<usize>, classes: usize, prefix: &str) -> Self {
        let name = |name: &str| format!("{prefix}{name}");
        let vector =
            |tensor: &str, shape: &[usize]| VectorParameter { name: name(tensor), shape: shape.into() };
        let linear = |layer: &str, outputs, inputs| {
            let layout = LinearLayout::Linear;
            LinearParameter { name: name(layer), outputs, inputs, layout }
        };
        let width = config.width;
        let projections = PerModality {
            text: linear(Modality::Text.name(), width, features.text),
            image: linear(Modality::Image.name(), width, features.image),
        };
        let missing =
            PerModality { text: vector("missing.text", &[width]), image: vector("missing.image", &[width]) };
        match config.kind {
            FusionKind::Late => FusionParameters::Late {
                weights: vector("late", &[2, classes]),
                bias: vector("late_bias", &[classes]),
            },
            FusionKind::Concat => FusionParameters::Concat {
                projections,
                missing,
                classifier: linear("classifier", classes, 2 * width),
            },
            FusionKind::Pooled | FusionKind::Tokens => FusionParameters::Attention {
                projections,
                missing,
                modality: vector("modality", &[2, width]),
                in_proj: LinearParameter {
                    layout: LinearLayout::Attention,
                    ..linear("attention.in_proj", 3 * width, width)
                },
                out_proj: linear("attention.out_proj", width, width),
                norm: LayerNormParameter { name: name("norm"), width, eps: NORM_EPS },
                classifier: linear("classifier", classes, width),
            },
        }
    }
}

/// Every parameter of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// The text encoder, `text.*`.
    pub text: TextParameters,
    /// The image encoder, `image.*`.
    pub image: ImageParameters,
    /// The classifiers of the text alone and of the image alone, `heads.*`.
    pub heads: PerModality<LinearParameter>,
    /// The fused head, `fusion.*`.
    pub fusion: FusionParameters,
    /// Scale and bias of the contradiction's Platt scaling.
    pub contradiction: [VectorParameter; 2],
}

/// Any parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Parameter {
    /// A table of vectors.
    Embedding(EmbeddingParameter),
    /// A linear layer.
    Linear(LinearParameter),
    /// A LayerNorm.
    LayerNorm(LayerNormParameter),
    /// A convolution.
    Conv(ConvParameter),
    /// A range of levels.
    Range(RangeParameter),
    /// What a head's logits are divided by: one number under this name.
    Temperature(String),
    /// A probability from which on something is said: one number under this name, or none.
    Threshold(String),
    /// A tensor of floats.
    Vector(VectorParameter),
}

impl Parameters {
    /// Those of a model, with the names of its checkpoint and its bundle.
    pub fn new(config: &ModelConfig) -> Self {
        let network = config.image.architecture.network();
        let features = PerModality { text: config.text.hidden_size, image: network.channels };
        let classes = config.labels.len();
        let head = |modality: Modality| LinearParameter {
            name: format!("heads.{}", modality.name()),
            outputs: classes,
            inputs: *features.get(modality),
            layout: LinearLayout::Linear,
        };
        Parameters {
            text: TextParameters::new(&config.text, "text."),
            image: ImageParameters::new(network, "image."),
            heads: PerModality { text: head(Modality::Text), image: head(Modality::Image) },
            fusion: FusionParameters::new(&config.fusion, features, classes, "fusion."),
            contradiction: ["scale", "bias"]
                .map(|name| VectorParameter { name: format!("contradiction.{name}"), shape: vec![1] }),
        }
    }

    /// All of them in the order of the forward pass.
    pub fn all(&self) -> Vec<Parameter> {
        use Parameter::{Conv, Embedding, LayerNorm, Linear, Range, Temperature, Threshold, Vector};
        let TextParameters { words, positions, token_types, norm, layers } = &self.text;
        let mut all: Vec<_> = [words, positions, token_types].map(|table| Embedding(table.clone())).into();
        all.push(LayerNorm(norm.clone()));
        for layer in layers {
            all.extend(layer.query_key_value.iter().cloned().map(Linear));
            all.push(Linear(layer.attention_output.clone()));
            all.push(LayerNorm(layer.attention_norm.clone()));
            all.push(Linear(layer.intermediate.clone()));
            all.push(Linear(layer.output.clone()));
            all.push(LayerNorm(layer.output_norm.clone()));
        }
        all.extend(self.image.convs.iter().cloned().map(Conv));
        all.extend(self.image.linears.iter().cloned().map(Linear));
        all.extend(self.image.ranges.iter().cloned().map(Range));
        all.extend(self.heads.iter().map(|(_, head)| Linear(head.clone())));
        match &self.fusion {
            FusionParameters::Late { weights, bias } => {
                all.extend([weights, bias].map(|x| Vector(x.clone())))
            }
            FusionParameters::Concat { projections, missing, classifier } => {
                all.extend(projections.iter().map(|(_, linear)| Linear(linear.clone())));
                all.extend(missing.iter().map(|(_, vector)| Vector(vector.clone())));
                all.push(Linear(classifier.clone()));
            }
            FusionParameters::Attention {
                projections,
                missing,
                modality,
                in_proj,
                out_proj,
                norm,
                classifier,
            } => {
                all.extend(projections.iter().map(|(_, linear)| Linear(linear.clone())));
                all.extend(missing.iter().map(|(_, vector)| Vector(vector.clone())));
                all.push(Vector(modality.clone()));
                all.extend([in_proj, out_proj].map(|linear| Linear(linear.clone())));
                all.push(LayerNorm(norm.clone()));
                all.push(Linear(classifier.clone()));
            }
        }
        all.extend(self.contradiction.iter().cloned().map(Vector));
        all.extend(Temperatures::HEADS.map(|head| Temperature(format!("temperature.{head}"))));
        all.extend(Thresholds::NAMES.map(|name| Threshold(name.into())));
        all
    }
}
