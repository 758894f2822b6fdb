//! The ONNX files that the program writes pass ONNX's own checker, and give in onnxruntime and onnxruntime-web what
//! this project's models give. Both runtimes come from outside, see `tests/onnx/`: `cargo verify --only onnx` installs them.

mod common;

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use common::{
    posts::{Batch, Run, dequantized, pictures, quantized, write_expected},
    run,
};
use mixed_feelings::{
    Bundle,
    image::{Limits, decode},
    model::{Architecture, FusionKind, HiddenActivation, ModelConfig, tokenizer_json},
    testing::{random_bundle, tiny_config, tiny_tokenizer},
    text::Tokenizer,
};

/// What float may be off candle, relative to what is above 1; and int8 off the quantized model's in models so small that nothing
/// amplifies differences.
const SAME: f64 = 1e-4;

/// What int8 may be off the quantized model where pictures are. A runtime adds up in another order, and may round a convolution's
/// bias; a level that thereby falls on the other side of a half makes other levels do so, layer after layer, until what
/// the two give differs as much as either does from float. How much that is depends on the weights.
const SHIPPED: f64 = 0.4;
const RANDOM: f64 = 0.5;

/// What int8 may be off the quantized model where only texts are. A runtime's GELU has the error function, this project's a polynomial,
/// and a millionth between them is enough for one of the shipped model's many levels to fall on the other side of a half.
const SHIPPED_TEXT: f64 = 0.05;

/// In a small picture and a graph that is run as it is written, few levels are that near to a half. If one such picture
/// of these has the quantized model's logits to [`SAME`], then every level of every layer was that model's.
const PICTURES: usize = 8;

#[test]
#[ignore = "needs Python with onnxruntime and Node.js with onnxruntime-web: cargo verify --only onnx"]
fn other_runtimes_say_the_same() {
    let python =
        env::var_os("ONNX_PYTHON").expect("ONNX_PYTHON is a Python with tests/onnx/requirements.txt");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("onnx");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for the files");

    use {Architecture as I, FusionKind as F, HiddenActivation as A};
    for (kind, architecture, activation) in [
        (F::Pooled, I::EfficientnetLite0, A::Gelu),
        (F::Tokens, I::Resnet18, A::GeluNew),
        (F::Concat, I::Resnet50, A::Relu),
        (F::Late, I::EfficientnetLite2, A::Gelu),
    ] {
        let mut config = tiny_config();
        config.fusion.kind = kind;
        config.image.architecture = architecture;
        config.text.hidden_act = activation;
        config.preprocess.input_size = 32;
        let name = format!("{kind:?}").to_lowercase();
        let bundle = folder.join(&name);
        fs::write(&bundle, random_bundle(&config, &tiny_tokenizer(), 5).expect("a bundle")).expect("written");
        let batches = Batch::all([&[2, 5, 7, 9, 30, 3], &[2, 9, 3]], pictures(&config));
        let small = pictures::<PICTURES>(&config).map(|picture| Batch::picture(&batches[0], picture));
        write_cases(&folder, &name, &bundle, &batches, [SAME, RANDOM], &small);
        fs::remove_file(bundle).expect("it was there");
    }
    let shipped = repository().join("pkg/mixed-feelings-small.safetensors");
    write_cases(&folder, "shipped", &shipped, &real_posts(&shipped), [SHIPPED_TEXT, SHIPPED], &[]);

    let checks = repository().join("tests/onnx");
    for (program, script) in [(python, "check.py"), ("node".into(), "check.mjs")] {
        let status = Command::new(program).arg(checks.join(script)).arg(&folder).status();
        assert!(status.expect("it starts").success(), "{script} found differences");
    }
}

/// Exports `bundle` and writes what is expected of the files beside them; of int8 within the bounds for texts and for all.
fn write_cases(
    folder: &Path,
    name: &str,
    bundle: &Path,
    batches: &[Batch],
    [text_bound, bound]: [f64; 2],
    small: &[Batch],
) {
    let parsed = parse(bundle);
    let preprocess = &ModelConfig::of_bundle(&parsed).expect("a config").preprocess;
    let model = dequantized(&parsed).expect("a model");
    let float = |batch: &Batch| (batch.clone(), batch.ask_float(&model, preprocess).expect("candle runs"));
    let mut int8_model = quantized(parsed).expect("a model");
    let mut int8 = |batch: &Batch| (batch.clone(), batch.ask_quantized(&mut int8_model).expect("it runs"));
    let run = |bound, batches| Run { optimize: true, bound, quorum: 1.0, batches };

    let file = export(folder, &format!("{name}-float"), bundle, &[]);
    write_expected(&file, preprocess, &[run(SAME, batches.iter().map(float).collect())]);

    let file = export(folder, &format!("{name}-int8"), bundle, &["--int8".as_ref()]);
    let texts = batches.iter().filter(|batch| batch.posts.iter().all(|post| !post.has_image));
    let mut runs = vec![
        run(text_bound, texts.map(&mut int8).collect()),
        run(bound, batches.iter().map(&mut int8).collect()),
    ];
    if !small.is_empty() {
        let (bound, quorum) = (SAME, 1.0 / small.len() as f64);
        runs.push(Run { optimize: false, bound, quorum, batches: small.iter().map(&mut int8).collect() });
    }
    write_expected(&file, preprocess, &runs);
}

fn export(folder: &Path, name: &str, bundle: &Path, more: &[&OsStr]) -> PathBuf {
    let out = folder.join(format!("{name}.onnx"));
    let arguments = ["export-onnx".as_ref(), "--bundle".as_ref(), bundle.as_os_str()];
    let out_arguments = ["--out".as_ref(), out.as_os_str()];
    let told = run(arguments.iter().chain(&out_arguments).chain(more)).ok();
    print!("{told}");
    out
}

/// Two of the demo page's photos, each with something to say.
fn real_posts(bundle: &Path) -> Vec<Batch> {
    let parsed = parse(bundle);
    let config = ModelConfig::of_bundle(&parsed).expect("a config");
    let tokenizer = Tokenizer::from_json(
        tokenizer_json(&parsed).expect("one"),
        config.max_tokens,
        config.text_preparation,
    );
    let tokenizer = tokenizer.expect("a tokenizer");
    let [long, short] = ["Perfect solitude, not another soul on this beach today!", "so sad"]
        .map(|text| tokenizer.encode(text).expect("short enough").ids);
    let pictures = ["summer-palace", "dust-bowl-home"].map(|name| {
        let bytes = fs::read(repository().join(format!("www/photos/{name}.jpg"))).expect("a photo");
        decode(&bytes, &Limits::default()).expect("a picture").picture
    });
    Batch::all([&long, &short], pictures)
}

fn parse(bundle: &Path) -> Bundle {
    Bundle::parse(fs::read(bundle).expect("it is there")).expect("a bundle")
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository")
}
