//! What is measured, and what is asked of it.

use crate::models::{Model, SIDE};

/// What goes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A text of this many tokens, through the text encoder alone.
    Text(usize),
    /// A picture of the encoder's size, through the image encoder alone.
    Image,
    /// A text of 24 words and a picture of the encoder's size, to the answer.
    PostOfPixels,
    /// A text of 24 words and the bytes of a 12-megapixel JPEG, to the answer.
    PostOfJpeg,
}

/// The part of a model that an ONNX file holds, as `export-onnx --part` calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The text encoder and its head.
    Text,
    /// The image encoder and its head.
    Image,
    /// Everything.
    Model,
}

impl Part {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Part::Text => "text",
            Part::Image => "image",
            Part::Model => "model",
        }
    }

    /// The output that holds its answer.
    pub fn output(self) -> &'static str {
        match self {
            Part::Text => "text_logits",
            Part::Image => "image_logits",
            Part::Model => "fused_logits",
        }
    }
}

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Case {
    /// What `--cases` calls it.
    pub id: &'static str,
    /// What the table calls it.
    pub title: &'static str,
    /// Its model.
    pub model: Model,
    /// Its input.
    pub input: Input,
    /// How many times faster than the best of onnxruntime-web it shall be, in Chromium.
    pub speed_bar: Option<f64>,
    /// The share of the tile's peak that it shall reach, in Chromium.
    pub peak_bar: Option<f64>,
}

impl Case {
    /// The part of the model that it needs.
    pub fn part(&self) -> Part {
        match self.input {
            Input::Text(_) => Part::Text,
            Input::Image => Part::Image,
            Input::PostOfPixels | Input::PostOfJpeg => Part::Model,
        }
    }

    /// Tokens of its text, if it has one of a certain length.
    pub fn tokens(&self) -> Option<usize> {
        match self.input {
            Input::Text(tokens) => Some(tokens),
            Input::Image => None,
            Input::PostOfPixels | Input::PostOfJpeg => Some(POST_TOKENS),
        }
    }

    /// Whether it has a picture.
    pub fn has_image(&self) -> bool {
        !matches!(self.input, Input::Text(_))
    }

    /// Products of its encoders: of the linear layers, the attention and the convolutions. Everything else is a few per cent of
    /// the time and has no products to speak of.
    pub fn macs(&self) -> u64 {
        let config = self.model.config();
        let text = self.tokens().map_or(0, |tokens| config.text.products(tokens));
        let image = if self.has_image() { config.image.architecture.network().products(SIDE) } else { 0 };
        text + image
    }
}

/// 24 words of one token each, and the two at the ends.
const POST_TOKENS: usize = 26;

const fn case(id: &'static str, title: &'static str, model: Model, input: Input) -> Case {
    Case { id, title, model, input, speed_bar: None, peak_bar: None }
}

const fn barred(case: Case, speed: f64, peak: Option<f64>) -> Case {
    Case { speed_bar: Some(speed), peak_bar: peak, ..case }
}

/// Every case, the quick ones first.
pub const CASES: [Case; 11] = [
    case("minilm-8", "MiniLM-L6, 8 tokens", Model::Shipped, Input::Text(8)),
    barred(case("minilm-32", "MiniLM-L6, 32 tokens", Model::Shipped, Input::Text(32)), 2.5, None),
    barred(case("minilm-128", "MiniLM-L6, 128 tokens", Model::Shipped, Input::Text(128)), 2.4, None),
    barred(case("lite0", "EfficientNet-Lite0", Model::Shipped, Input::Image), 2.5, None),
    case("lite2", "EfficientNet-Lite2", Model::Lite2, Input::Image),
    case("resnet18", "ResNet-18", Model::Resnet18, Input::Image),
    barred(case("resnet50", "ResNet-50", Model::Base, Input::Image), 2.7, Some(0.7)),
    case("bert-32", "BERT-base, 32 tokens", Model::Base, Input::Text(32)),
    barred(case("bert-128", "BERT-base, 128 tokens", Model::Base, Input::Text(128)), 2.4, Some(0.7)),
    barred(case("post", "a post, decoded pixels", Model::Shipped, Input::PostOfPixels), 2.5, None),
    case("post-jpeg", "a post, 12 MP JPEG", Model::Shipped, Input::PostOfJpeg),
];

/// How many times faster than the best of onnxruntime-web the simd128 program alone shall be, where there is a bar.
pub const SIMD128_BAR: f64 = 1.15;

/// How many times the time of onnxruntime's native int8 ours may take.
pub const NATIVE_BAR: f64 = 1.5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_distinct() {
        for (i, case) in CASES.iter().enumerate() {
            assert!(CASES[..i].iter().all(|other| other.id != case.id), "{} comes twice", case.id);
        }
    }

    #[test]
    fn a_post_needs_both_encoders() {
        let macs = |id| CASES.iter().find(|case| case.id == id).unwrap().macs();
        let text = Model::Shipped.config().text.products(POST_TOKENS);
        assert_eq!(macs("post"), macs("lite0") + text);
        assert_eq!(macs("post"), macs("post-jpeg"));
    }
}
