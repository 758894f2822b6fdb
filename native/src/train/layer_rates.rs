//! Layer-wise learning rates (Howard & Ruder 2018): the lower a layer of the text encoder, the more general is what it knows,
//! and the less it should move.

const LAYERS: &str = "text.encoder.layer.";

/// The number of the layer of the text encoder that this parameter belongs to, from 0 below.
pub fn text_layer(name: &str) -> Option<usize> {
    name.strip_prefix(LAYERS)?.split('.').next()?.parse().ok()
}

/// What the learning rate of this parameter is multiplied by, where the encoder has `layers` layers: `decay` in the uppermost,
/// once more in each one below, and once more in the embeddings.
pub fn layer_rate(name: &str, layers: usize, decay: f64) -> f64 {
    match text_layer(name) {
        Some(layer) => decay.powi(layers.saturating_sub(layer) as i32),
        None if name.starts_with("text.") => decay.powi(layers as i32 + 1),
        None => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_the_slower() {
        let rate = |name: &str| layer_rate(name, 6, 0.5);
        assert_eq!(rate("heads.text.weight"), 1.0);
        assert_eq!(rate("text.encoder.layer.5.output.dense.weight"), 0.5);
        assert_eq!(rate("text.encoder.layer.0.attention.self.key.bias"), 0.5f64.powi(6));
        assert_eq!(rate("text.embeddings.word_embeddings.weight"), 0.5f64.powi(7));
        assert_eq!(layer_rate("text.encoder.layer.0.x", 6, 1.0), 1.0);
    }
}
