//! The `base` preset from encoders to answers: train, export, predict, and in the wasm program where it is built. Its
//! published weights are not needed for that, only their shapes: random ones go the same way.

mod common;

use std::{fs, path::Path, process::Command};

use common::{run, world::World};
use mixed_feelings::{
    model::{Architecture, BertConfig, Filter, Fit, ModelConfig, Preprocess},
    testing::tiny_config,
};

const PRESET: &str = include_str!("../configs/base.toml");

#[test]
fn the_journey_at_small_shapes() {
    let mut config = tiny_config();
    config.image.architecture = Architecture::Resnet50;
    journey(&config, 32);
}

/// 110 million and 24 million weights.
#[test]
#[ignore = "minutes, and gigabytes of memory: cargo test --release -p mixed-feelings-native --test base_preset -- --ignored"]
fn the_journey_at_full_shapes() {
    let text = BertConfig {
        vocab_size: 30_522,
        hidden_size: 768,
        num_hidden_layers: 12,
        num_attention_heads: 12,
        intermediate_size: 3072,
        max_position_embeddings: 512,
        ..tiny_config().text
    };
    let preprocess = Preprocess {
        input_size: 224,
        fit: Fit::Stretch,
        filter: Filter::Bicubic,
        mean: [0.485, 0.456, 0.406],
        std: [0.229, 0.224, 0.225],
    };
    let mut config = ModelConfig { text, preprocess, max_tokens: 128, ..tiny_config() };
    config.image.architecture = Architecture::Resnet50;
    let bytes = journey(&config, 224);
    assert!((130_000_000..145_000_000).contains(&bytes), "{bytes} bytes");
}

/// Returns the bundle's size.
fn journey(config: &ModelConfig, side: usize) -> u64 {
    let world = World::new().with_checkpoint_of(config).with_base_encoders(side).with_tables();
    let path = |name: &str| world.path(name).display().to_string();

    let mut preset: toml::Table = PRESET.parse().expect("TOML");
    // Without the tweets: the encoders stay as they are.
    preset.remove("text");
    let preset = world.write("base.toml", preset.to_string()).display().to_string();
    let settings = [
        format!("model.text={:?}", path("base/text")),
        format!("model.image={:?}", path("base/image")),
        format!("model.max_tokens={}", config.max_tokens),
        format!("fusion.pairs={:?}", path("pairs.tsv")),
        "fusion.learning.epochs=1".to_owned(),
    ];
    let (set, out) = ("--set".to_owned(), ["--out".to_owned(), path("run")]);
    let settings = settings.into_iter().flat_map(|setting| [set.clone(), setting]);
    run(["train".to_owned(), preset].into_iter().chain(settings).chain(out)).ok();

    let (checkpoint, pairs, bundle) = (path("run/checkpoint"), path("pairs.tsv"), path("base.safetensors"));
    let export = ["export", "--checkpoint", &checkpoint, "--out", &bundle, "--calibration", &pairs];
    let told = run(export.into_iter().chain(["--check", &pairs])).ok();
    assert!(told.contains("whole post on label"), "{told}");

    let image = path("images/1.bmp");
    let told = run(["predict", "--json", "--bundle", &bundle, "--text", "so good", "--image", &image]).ok();
    let native: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    assert!(native["contradiction"].is_number(), "{told}");
    if let Some(wasm) = in_wasm(&bundle, "so good") {
        let told = run(["predict", "--json", "--bundle", &bundle, "--text", "so good"]).ok();
        let native: serde_json::Value = serde_json::from_str(&told).expect("JSON");
        for class in ["negative", "neutral", "positive"] {
            let [native, wasm] =
                [&native, &wasm].map(|said| said["scores"][class].as_f64().expect("a score") as f32);
            assert_eq!(native, wasm, "{class}: the same bits everywhere");
        }
    }
    fs::metadata(&bundle).expect("the bundle").len()
}

/// What the package's program says of a text in Node, if `cargo pack` has built it.
fn in_wasm(bundle: &str, text: &str) -> Option<serde_json::Value> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pkg");
    if !package.join("dist/simd128/engine_bg.wasm").exists() {
        eprintln!("the wasm program is not tested: there is no pkg/dist, run `cargo pack`");
        return None;
    }
    let script = format!(
        "import {{ readFile }} from 'node:fs/promises';
         import {{ installFileFetch }} from './test/lib/node.mjs';
         import {{ createAnalyzer }} from './dist/index.js';
         installFileFetch();
         const bundle = new Uint8Array(await readFile({bundle:?}));
         const analyzer = await createAnalyzer({{ bundle, worker: false }});
         console.log(JSON.stringify(await analyzer.analyze({{ text: {text:?} }})));"
    );
    let node =
        Command::new("node").current_dir(package).args(["--input-type=module", "-e", &script]).output();
    let node = node.expect("Node.js, which built the package");
    assert!(node.status.success(), "{}", String::from_utf8_lossy(&node.stderr));
    Some(serde_json::from_slice(&node.stdout).expect("JSON"))
}
