//! The configuration of a model, of a BERT, and labels. What is accepted makes a model that answers.

use mixed_feelings::{
    Analyzer, Labels, Post,
    analyzer::ImageInput,
    image::Picture,
    model::{Architecture, BertConfig, ModelConfig, Parameters},
    testing::{random_bundle, tiny_tokenizer},
};

use crate::{TEXT, check, entropy::hash};

/// Reads the bytes as each of them.
pub fn run(bytes: &[u8]) {
    let Ok(json) = str::from_utf8(bytes) else { return };
    if let Ok(config) = BertConfig::from_json(json) {
        assert!(config.check().is_ok() && config.products(config.max_position_embeddings) > 0);
    }
    if let Ok(labels) = Labels::from_json(json) {
        let written = serde_json::to_string(&labels).expect("labels are JSON");
        assert_eq!(Labels::from_json(&written).expect("what was written is read"), labels);
    }
    let Ok(config) = ModelConfig::from_json(json) else { return };
    let written = serde_json::to_string(&config).expect("a config is JSON");
    let read = ModelConfig::from_json(&written).expect("what was written is read");
    // A number of many digits may come back as its neighbour.
    let of = |config: &ModelConfig| Parameters::new(config).image;
    assert_eq!(
        (of(&read), read.labels, read.fusion.kind),
        (of(&config), config.labels.clone(), config.fusion.kind)
    );
    let parameters = Parameters::new(&config).all();
    assert!(!parameters.is_empty());
    // A bundle takes a tenth of a second, so not every one that could be made is.
    if is_small(&config) && hash(bytes).is_multiple_of(4) {
        answers(&config);
    }
}

fn is_small(config: &ModelConfig) -> bool {
    let text = &config.text;
    let rows = text.vocab_size + text.max_position_embeddings + text.type_vocab_size;
    let layer = text.hidden_size * (4 * text.hidden_size + 2 * text.intermediate_size);
    text.hidden_size * rows + text.num_hidden_layers * layer < 1 << 20
        && config.image.architecture == Architecture::MobilenetV3Small
        && config.preprocess.input_size <= 96
        && config.fusion.width <= 256
}

fn answers(config: &ModelConfig) {
    let bytes =
        random_bundle(config, &tiny_tokenizer(), 1).expect("a config that is accepted makes a bundle");
    match Analyzer::from_bundle(bytes) {
        Ok(mut analyzer) => {
            let picture = Picture::from_rgb(3, 7, (0..63).map(|i| i * 4).collect()).expect("63 bytes");
            let image = Some(ImageInput::Picture(&picture));
            check(analyzer.analyze(Post { text: Some(TEXT), image }));
        }
        // The vocabulary may be too small for the tokenizer, or a number of the pixels' range no float.
        Err(error) => assert!(["bad-tokenizer", "bundle-tensor"].contains(&error.code()), "{error}"),
    }
}
