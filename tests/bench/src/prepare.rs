//! Everything that has to be there before a clock runs, under `target/bench/`: programs, bundles, ONNX files, pictures.
//! What is up to date is left alone.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use mixed_feelings::{Analyzer, Bundle, bundle::random_bundle};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use wasm_bindgen_cli_support::Bindgen;

use crate::{
    cases::Part,
    models::Model,
    tools::{cargo, install_npm, once, python, run},
};

const WASM: &str = "wasm32-unknown-unknown";

/// The builds of `tests/bench/wasm`: folder and instructions.
const BUILDS: [(&str, &str); 2] = [("simd128", "+simd128"), ("relaxed-simd", "+simd128,+relaxed-simd")];

/// Where things are.
#[derive(Clone, Debug)]
pub struct Places {
    /// The repository.
    pub root: PathBuf,
    /// `tests/bench`.
    pub bench: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
    /// `target/bench`.
    pub made: PathBuf,
}

impl Places {
    /// The repository that cargo runs this program in; without cargo, the one that it was built in.
    ///
    /// # Errors
    /// When it is gone.
    pub fn find() -> Result<Self> {
        let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let bench = Path::new(&package).canonicalize().context("this repository is gone")?;
        let root = bench.ancestors().nth(2).context("the package lies too high")?.to_path_buf();
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let made = target.join("bench");
        fs::create_dir_all(&made).with_context(|| made.display().to_string())?;
        Ok(Places { root, bench, target, made: made.canonicalize()? })
    }
}

/// Builds the package with its float model, and the wasm beside it.
///
/// # Errors
/// When something does not build.
pub fn programs(places: &Places) -> Result<()> {
    install_npm(&places.bench)?;
    let pack = ["run", "--quiet", "--locked", "--package", "mixed-feelings-pack", "--", "--reference"];
    run(cargo(&places.root).args(pack))?;
    let source = places.bench.join("wasm");
    for (name, features) in BUILDS {
        eprintln!("building the benchmark's own wasm for {name} ...");
        let target = places.made.join(format!("wasm-{name}"));
        let build = ["build", "--locked", "--quiet", "--profile", "wasm", "--target", WASM, "--target-dir"];
        run(cargo(&source)
            .args(build)
            .arg(&target)
            .env("CARGO_ENCODED_RUSTFLAGS", format!("-Ctarget-feature={features}")))?;
        let wasm = target.join(WASM).join("wasm/mixed_feelings_bench_wasm.wasm");
        let mut bindgen = Bindgen::new();
        bindgen.web(true)?.input_path(wasm).out_name("bench").typescript(false);
        bindgen.generate(places.made.join("dist").join(name)).context("bindings of the benchmark's wasm")?;
    }
    Ok(())
}

/// A Python with onnxruntime.
///
/// # Errors
/// As [`python`].
pub fn python_here(places: &Places) -> Result<PathBuf> {
    python(&places.made.join("venv"), &places.bench.join("requirements.txt"))
}

/// A bundle on the disk, and parsed.
#[derive(Debug)]
pub struct Prepared {
    /// The folder of everything that is made from it.
    pub folder: PathBuf,
    /// The file.
    pub bundle: PathBuf,
    /// Its content.
    pub parsed: Bundle,
}

/// The bundle of a model: the shipped one, or one of random weights with the shipped one's tokenizer.
///
/// # Errors
/// Those of the file system, and when the shipped bundle is damaged.
pub fn bundle(places: &Places, model: Model) -> Result<Prepared> {
    let shipped = places.root.join("pkg/mixed-feelings-small.safetensors");
    let bytes = fs::read(&shipped).with_context(|| shipped.display().to_string())?;
    let onnx = sources_of_onnx(places)?;
    let folder = |content: &[u8]| -> Result<PathBuf> {
        let key = hex(&[content, &onnx]);
        let folder = places.made.join("models").join(format!("{}-{key}", model.name()));
        fs::create_dir_all(&folder)?;
        Ok(folder)
    };
    if model == Model::Shipped {
        return Ok(Prepared { folder: folder(&bytes)?, bundle: shipped, parsed: Bundle::parse(bytes)? });
    }
    let tokenizer = Bundle::parse(bytes)?.tokenizer_json().to_owned();
    let config = model.config();
    // Weights made in another way are others.
    let maker = include_bytes!("../../../src/bundle/random.rs");
    let folder = folder(&[&serde_json::to_vec(&config)?, tokenizer.as_bytes(), maker].concat())?;
    let bundle = folder.join("bundle.safetensors");
    once(&folder.join("bundle.done"), "", || {
        eprintln!("making {} of random weights ...", model.name());
        fs::write(&bundle, random_bundle(&config, &tokenizer, 1)?)?;
        Ok(())
    })?;
    let parsed = Bundle::parse(fs::read(&bundle)?)?;
    Ok(Prepared { folder, bundle, parsed })
}

/// One ONNX file.
#[derive(Clone, Debug, Deserialize)]
pub struct Variant {
    /// `f32` or `int8`.
    pub numbers: String,
    /// How it was made.
    pub name: String,
    /// Its name in the bundle's folder.
    pub file: String,
}

/// The ONNX files of a part: as exported, in every form that onnxruntime's own tools make of it, and with the bundle's own
/// integers.
///
/// # Errors
/// When the export or onnxruntime's tools fail.
pub fn onnx(places: &Places, python: &Path, prepared: &Prepared, part: Part) -> Result<Vec<Variant>> {
    let name = part.name();
    let list = prepared.folder.join(format!("{name}.json"));
    let own = format!("{name}.own.onnx");
    // The list is written last: where it is, everything is.
    if !list.is_file() {
        let exported = prepared.folder.join(format!("{name}.onnx"));
        eprintln!("exporting {} as ONNX ...", exported.display());
        let build = ["build", "--release", "--quiet", "--locked", "--package", "mixed-feelings-native"];
        run(cargo(&places.root).args(build).args(["--bin", "mixed-feelings"]))?;
        export(places, prepared, part, &exported, &[])?;
        export(places, prepared, part, &prepared.folder.join(&own), &["--int8"])?;
        eprintln!("quantising it with onnxruntime's tools ...");
        let config = &prepared.parsed.config().text;
        run(Command::new(python)
            .arg(places.bench.join("quantize.py"))
            .args(["--part", name])
            .args(["--heads", &config.num_attention_heads.to_string()])
            .args(["--hidden", &config.hidden_size.to_string()])
            .arg("--list")
            .arg(&list)
            .arg(&exported))?;
    }
    let text = fs::read_to_string(&list).with_context(|| list.display().to_string())?;
    let mut variants: Vec<Variant> =
        serde_json::from_str(&text).with_context(|| list.display().to_string())?;
    variants.push(Variant { numbers: "int8".into(), name: "the bundle's integers".into(), file: own });
    Ok(variants)
}

/// Runs `mixed-feelings export-onnx`, which has been built.
fn export(places: &Places, prepared: &Prepared, part: Part, out: &Path, more: &[&str]) -> Result<()> {
    let program = places.target.join("release").join(format!("mixed-feelings{}", env::consts::EXE_SUFFIX));
    run(Command::new(program)
        .args(["export-onnx", "--part", part.name()])
        .args(more)
        .arg("--bundle")
        .arg(&prepared.bundle)
        .arg("--out")
        .arg(out))
}

/// What the logits of a part's head are divided by.
///
/// # Errors
/// When the bundle cannot be read.
pub fn temperature(prepared: &Prepared, part: Part) -> Result<f32> {
    let temperatures = Analyzer::from_bundle(fs::read(&prepared.bundle)?)?.temperatures();
    Ok(match part {
        Part::Text => temperatures.text,
        Part::Image => temperatures.image,
        Part::Model => temperatures.fused,
    })
}

/// What the ONNX files are made by: when it changes, they are made again.
fn sources_of_onnx(places: &Places) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    for path in ["quantize.py", "requirements.txt"] {
        all.extend(fs::read(places.bench.join(path))?);
    }
    let folder = places.root.join("native/src/onnx");
    let mut files: Vec<_> = fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.sort();
    for file in files {
        all.extend(fs::read(file)?);
    }
    Ok(all)
}

/// The beginning of a SHA-256.
fn hex(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}
