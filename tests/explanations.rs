//! Explanations are what they say: shares that add up, the same from integers and from floats, and gone when their item is.
#![cfg(feature = "float")]

use std::{fs, path::Path};

use candle_core::Device;
use mixed_feelings::{
    Bundle,
    backend::Cpu,
    image::{Limits, Picture, decode},
    inference::{Inference, QuantizedModel, Reference},
    model::{FusionKind, ModelConfig, PerModality, tokenizer_json},
    testing::{random_bundle, tiny_config, tiny_tokenizer},
    text::Tokenizer,
};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

const IDS: [u32; 9] = [2, 40, 7, 19, 63, 5, 81, 22, 3];

/// Hidden states and cells of a post, and both models of the same weights.
struct World {
    int8: QuantizedModel,
    float: Reference,
    text: Vec<f32>,
    image: Vec<f32>,
}

fn world(kind: FusionKind) -> Result<World> {
    let mut config: ModelConfig = tiny_config();
    config.fusion.kind = kind;
    config.fusion.width = 40;
    config.fusion.heads = 4;
    let mut bundle = Bundle::parse(random_bundle(&config, &tiny_tokenizer(), 11)?)?;
    let float = Reference::of_bundle(&bundle, &config, &Device::Cpu)?;
    let mut int8 = QuantizedModel::load(Cpu::default(), &mut bundle, &config)?;
    let picture = Picture::from_rgb(8, 8, (0..192).map(|i| (i * 37 % 256) as u8).collect())?;
    let (text, image) = (int8.hidden(&IDS)?.clone(), int8.grid(&picture).clone());
    Ok(World { int8, float, text, image })
}

const KINDS: [FusionKind; 4] = [FusionKind::Pooled, FusionKind::Tokens, FusionKind::Concat, FusionKind::Late];

#[test]
fn floats_add_up_by_themselves_and_integers_nearly() -> Result {
    for kind in KINDS {
        let World { mut int8, mut float, text, image } = world(kind)?;
        for features in [
            PerModality { text: Some(&text[..]), image: Some(&image[..]) },
            PerModality { text: Some(&text[..]), image: None },
            PerModality { text: None, image: Some(&image[..]) },
        ] {
            for class in 0..3 {
                let (a, b) = (int8.explain(features, class)?, float.explain(features, class)?);
                for shares in [&a, &b] {
                    let all = || shares.text.iter().chain(&shares.image).flatten();
                    let sum = shares.base + all().sum::<f32>();
                    assert!((sum - shares.logit).abs() < 1e-4, "{kind:?}: {sum} for {}", shares.logit);
                    assert!(all().any(|share| *share != 0.0));
                }
                // Nothing is spread over float shares but the rounding of float32.
                assert!(b.rounding.abs() < 2e-5, "{kind:?}, class {class}: {}", b.rounding);
                assert!(a.rounding.abs() < 0.05, "{kind:?}, class {class}: {}", a.rounding);
                let (of_int8, of_float) = (a.text.iter().chain(&a.image), b.text.iter().chain(&b.image));
                let largest =
                    of_float.clone().flatten().fold(0f32, |largest, share| largest.max(share.abs()));
                for (a, b) in of_int8.flatten().zip(of_float.flatten()) {
                    assert!((a - b).abs() < 0.1 * largest, "{kind:?}, class {class}: {a} and {b}");
                }
            }
        }
    }
    Ok(())
}

/// Where a head is linear over the mean, an item's share is what the logit changes by when the item is zeroed.
#[test]
fn the_share_of_an_item_is_what_it_adds() -> Result {
    let World { mut float, text, image, .. } = world(FusionKind::Concat)?;
    let width = text.len() / IDS.len();
    let explained = float.explain(PerModality { text: Some(&text), image: Some(&image) }, 2)?;
    let shares = explained.text.ok_or("a text")?;
    for (item, share) in shares.iter().enumerate() {
        let mut without = text.clone();
        without[item * width..][..width].fill(0.0);
        let features = PerModality { text: Some(&without[..]), image: Some(&image[..]) };
        let fused = float.logits(features)?.fused.ok_or("both")?[2];
        assert!((explained.logit - fused - share).abs() < 1e-4, "item {item}: {share}");
    }
    Ok(())
}

/// What rounding to integers adds to the logits of the shipped bundle, which its shares take over: the figures of the
/// guide (`cargo test --release --test explanations -- --nocapture`).
#[test]
fn rounding_adds_little_to_the_shipped_logits() -> Result {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut bundle = Bundle::parse(fs::read(root.join("pkg/mixed-feelings-small.safetensors"))?)?;
    let config = ModelConfig::of_bundle(&bundle)?;
    let tokenizer = Tokenizer::from_json(tokenizer_json(&bundle)?, config.max_tokens)?;
    let mut int8 = QuantizedModel::load(Cpu::default(), &mut bundle, &config)?;
    let photo = decode(&fs::read(root.join("www/photos/summer-palace.jpg"))?, &Limits::default())?.picture;
    let image = int8.grid(&photo).clone();
    let table = fs::read_to_string(root.join("tests/challenge/texts.tsv"))?;
    let mut roundings = Vec::new();
    for line in table.lines().skip(1) {
        let ids = tokenizer.encode(line.rsplit('\t').next().unwrap_or_default())?.ids;
        let text = int8.hidden(&ids)?.clone();
        let features = PerModality { text: Some(&text[..]), image: Some(&image[..]) };
        for class in 0..config.labels.len() {
            roundings.push(int8.explain(features, class)?.rounding.abs());
        }
    }
    roundings.sort_by(f32::total_cmp);
    let at = |share: f64| roundings[((roundings.len() - 1) as f64 * share) as usize];
    println!(
        "of {} logits: median {:.4}, 95 % {:.4}, largest {:.4}",
        roundings.len(),
        at(0.5),
        at(0.95),
        at(1.0)
    );
    assert!(roundings.len() == 720 && at(0.5) < 0.03 && at(1.0) < 0.2);
    Ok(())
}
