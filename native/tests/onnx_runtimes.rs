//! The ONNX files that the program writes pass ONNX's own checker, and say in onnxruntime and onnxruntime-web what this
//! project's models say. Both runtimes come from outside, see `tests/onnx/`: `cargo verify --only onnx` installs them.

mod common;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use common::{
    posts::{Answers, Batch, dequantized, two_pictures, write_expected},
    run,
};
use mixed_feelings::{
    Bundle,
    bundle::{random_bundle, tiny_config, tiny_tokenizer},
    fusion::FusionKind,
    image::{Architecture, Limits, decode},
    text::{Activation, Tokenizer},
};

/// What float may be off candle, relative to what is above 1.
const FLOAT: f64 = 1e-4;

#[test]
#[ignore = "needs Python with onnxruntime and Node.js with onnxruntime-web: cargo verify --only onnx"]
fn other_runtimes_say_the_same() {
    let python =
        env::var_os("ONNX_PYTHON").expect("ONNX_PYTHON is a Python with tests/onnx/requirements.txt");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("onnx");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for the files");

    use {Activation as A, Architecture as I, FusionKind as F};
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
        let name = format!("{kind:?}").to_lowercase();
        let bundle = folder.join(&name);
        fs::write(&bundle, random_bundle(&config, &tiny_tokenizer(), 5).expect("a bundle")).expect("written");
        let batches = Batch::all([&[2, 5, 7, 9, 30, 3], &[2, 9, 3]], two_pictures(&config));
        write_cases(&folder, &name, &bundle, &batches);
        fs::remove_file(bundle).expect("it was there");
    }
    let shipped = repository().join("pkg/mixed-feelings-small.safetensors");
    write_cases(&folder, "shipped", &shipped, &real_posts(&shipped));

    let checks = repository().join("tests/onnx");
    for (program, script) in [(python, "check.py"), ("node".into(), "check.mjs")] {
        let status = Command::new(program).arg(checks.join(script)).arg(&folder).status();
        assert!(status.expect("it starts").success(), "{script} found differences");
    }
}

/// Exports `bundle` and writes what is expected of the files beside them.
fn write_cases(folder: &Path, name: &str, bundle: &Path, batches: &[Batch]) {
    let parsed = parse(bundle);
    let preprocess = &parsed.config().preprocess;
    let model = dequantized(&parsed).expect("a model");
    let float = export(folder, &format!("{name}-float"), bundle);
    let expected: Vec<Answers> =
        batches.iter().map(|batch| batch.ask_candle(&model, preprocess).expect("candle runs")).collect();
    write_expected(&float, preprocess, FLOAT, batches.iter().zip(expected));
}

fn export(folder: &Path, name: &str, bundle: &Path) -> PathBuf {
    let out = folder.join(format!("{name}.onnx"));
    let arguments = ["export-onnx".as_ref(), "--bundle".as_ref(), bundle.as_os_str()];
    let told = run(arguments.into_iter().chain(["--out".as_ref(), out.as_os_str()])).ok();
    print!("{told}");
    out
}

/// Two of the demo page's photos, each with something to say.
fn real_posts(bundle: &Path) -> Vec<Batch> {
    let parsed = parse(bundle);
    let tokenizer = Tokenizer::from_json(parsed.tokenizer_json(), parsed.config().max_tokens);
    let tokenizer = tokenizer.expect("a tokenizer");
    let [long, short] = ["Perfect solitude, not another soul on this beach today!", "so sad"]
        .map(|text| tokenizer.encode(text).expect("short enough").ids);
    let pictures = ["summer-palace", "dust-bowl-home"].map(|name| {
        let bytes = fs::read(repository().join(format!("www/photos/{name}.jpg"))).expect("a photo");
        decode(&bytes, &Limits::default()).expect("a picture")
    });
    Batch::all([&long, &short], pictures)
}

fn parse(bundle: &Path) -> Bundle {
    Bundle::parse(fs::read(bundle).expect("it is there")).expect("a bundle")
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository")
}
