//! How many multiplications and additions a model needs: what milliseconds are measured against.
//!
//! Counted are the products of the linear layers, of the attention and of the convolutions. Everything else (embeddings,
//! LayerNorm, softmax, GELU, sums, pooling, heads, fusion) is a few per cent of the time and has no products to speak of.

use mixed_feelings::{
    image::architecture::{ConvSpec, Network, Shortcut, max_pool_size},
    text::BertConfig,
};

/// Of a BERT on one text of `tokens` tokens. A token in a layer meets four `h x h` matrices (query, key, value, output)
/// and two `h x i` ones (feed-forward), and `tokens` others twice in `h` dimensions (scores and weighted sum).
pub fn bert(config: &BertConfig, tokens: usize) -> u64 {
    let (h, i) = (config.hidden_size as u64, config.intermediate_size as u64);
    let tokens = tokens as u64;
    config.num_hidden_layers as u64 * tokens * (4 * h * h + 2 * h * i + 2 * tokens * h)
}

/// Of a CNN on one square picture.
pub fn cnn(network: &Network, side: usize) -> u64 {
    let mut total = 0;
    let mut count = |conv: &ConvSpec, side: usize| {
        let out = conv.output_size(side);
        let weights: usize = conv.weight_shape().iter().product();
        total += (out * out * weights) as u64;
        out
    };
    let mut side = count(&network.stem, side);
    if network.max_pool {
        side = max_pool_size(side);
    }
    for block in &network.blocks {
        let input = side;
        for conv in &block.convs {
            side = count(conv, side);
        }
        if let Shortcut::Projection(conv) = &block.shortcut {
            count(conv, input);
        }
    }
    if let Some(head) = &network.head {
        count(head, side);
    }
    total
}

#[cfg(test)]
mod tests {
    use mixed_feelings::image::Architecture;

    use super::*;
    use crate::models::{bert_base, minilm};

    #[test]
    fn berts_have_the_products_of_their_published_sizes() {
        // 12 layers of 7,077,888 weights each, and the attention on top.
        assert_eq!(bert(&bert_base(), 1), 12 * (7_077_888 + 2 * 768));
        assert_eq!(bert(&bert_base(), 128), 12 * 128 * (7_077_888 + 256 * 768));
        assert_eq!(bert(&minilm(), 32), 6 * 32 * (1_769_472 + 64 * 384));
    }

    #[test]
    fn cnns_have_the_products_of_their_published_sizes() {
        // Published with the classifier: 1.82, 4.09 (v1.5: 4.11) and 0.407 GMAC.
        for (architecture, giga) in [
            (Architecture::Resnet18, 1.814),
            (Architecture::Resnet50, 4.087),
            (Architecture::EfficientnetLite0, 0.384),
        ] {
            let counted = cnn(&architecture.network(), 224) as f64 / 1e9;
            assert!((counted / giga - 1.0).abs() < 0.01, "{architecture:?}: {counted}");
        }
    }
}
