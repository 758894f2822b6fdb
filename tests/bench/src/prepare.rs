//! Everything that has to be there before a clock runs, under `target/bench/`: programs, bundles, ONNX files, pictures.
//! What is up to date is left alone.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use mixed_feelings::{
    Analyzer, Bundle,
    model::{ModelConfig, tokenizer_json},
    testing::random_bundle,
};
use serde::Deserialize;
use xshell::{Shell, cmd};
use xtask::{
    pack,
    tools::{self, cargo, npm_ci, once},
    wasm,
};

use crate::{cases::Part, models::Model};

/// The builds of `tests/bench/wasm`: folder and instructions.
const BUILDS: [(&str, &str); 2] = [("simd128", "+simd128"), ("relaxed-simd", "+simd128,+relaxed-simd")];

/// Where things are.
#[derive(Clone, Debug)]
pub struct Places {
    /// The repository.
    pub root: PathBuf,
    /// `tests/bench`.
    pub bench: PathBuf,
    /// `target/bench`.
    pub made: PathBuf,
}

impl Places {
    /// See [`tools::root`].
    ///
    /// # Errors
    /// When the repository is gone.
    pub fn find() -> Result<Self> {
        let root = tools::root()?;
        let made = tools::target_folder()?.join("bench");
        fs::create_dir_all(&made).with_context(|| made.display().to_string())?;
        Ok(Places { bench: root.join("tests/bench"), root, made: made.canonicalize()? })
    }
}

/// Installs what the driver and the other runtimes are.
///
/// # Errors
/// When npm fails.
pub fn packages(places: &Places) -> Result<()> {
    let shell = tools::shell()?;
    for folder in ["tests/bench", "tests/browser"] {
        let _inside = shell.push_dir(places.root.join(folder));
        npm_ci(&shell)?;
    }
    Ok(())
}

/// Builds the package with its float model, and the wasm beside it.
///
/// # Errors
/// When something does not build.
pub fn programs(places: &Places) -> Result<()> {
    let shell = tools::shell()?;
    pack::build(&pack::Args { reference: true, force: false })?;
    shell.change_dir("tests/bench/wasm");
    for (name, features) in BUILDS {
        eprintln!("building the benchmark's own wasm for {name} ...");
        let target = places.made.join(format!("wasm-{name}"));
        let build = ["build", "--locked", "--quiet", "--profile", "wasm", "--target", wasm::TARGET];
        let build = cargo(&shell).args(build).arg("--target-dir").arg(target);
        let flags = format!("-Ctarget-feature={features}");
        let built = wasm::built(build.env("CARGO_ENCODED_RUSTFLAGS", flags), &[])?;
        wasm::bind(fs::read(built)?, &places.made.join("dist").join(name), "bench")?;
    }
    Ok(())
}

/// A Python with onnxruntime.
///
/// # Errors
/// As [`tools::python`].
pub fn python_here(places: &Places) -> Result<PathBuf> {
    let requirements = places.bench.join("requirements.txt");
    tools::python(&tools::shell()?, &requirements, &places.made.join("venv"))
}

/// A bundle on the disk, and what it is made of.
#[derive(Debug)]
pub struct Prepared {
    /// The folder of everything that is made from it.
    pub folder: PathBuf,
    /// The file.
    pub bundle: PathBuf,
    /// What it is made of.
    pub config: ModelConfig,
    /// Its `tokenizer.json`.
    pub tokenizer: String,
}

impl Prepared {
    fn new(folder: PathBuf, bundle: PathBuf, bytes: Vec<u8>) -> Result<Self> {
        let parsed = Bundle::parse(bytes)?;
        let (config, tokenizer) = (ModelConfig::of_bundle(&parsed)?, tokenizer_json(&parsed)?.to_owned());
        Ok(Prepared { folder, bundle, config, tokenizer })
    }
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
        let key = tools::fingerprint(&[content, &onnx]);
        let folder = places.made.join("models").join(format!("{}-{key}", model.name()));
        fs::create_dir_all(&folder)?;
        Ok(folder)
    };
    if model == Model::Shipped {
        return Prepared::new(folder(&bytes)?, shipped, bytes);
    }
    let tokenizer = tokenizer_json(&Bundle::parse(bytes)?)?.to_owned();
    let config = model.config();
    // Weights made in another way are others.
    let maker = include_bytes!("../../../src/testing/mod.rs");
    let folder = folder(&[&serde_json::to_vec(&config)?, tokenizer.as_bytes(), maker].concat())?;
    let bundle = folder.join("bundle.safetensors");
    once(&folder.join("bundle.done"), "", &[&bundle], || {
        eprintln!("making {} of random weights ...", model.name());
        fs::write(&bundle, random_bundle(&config, &tokenizer, 1)?)?;
        Ok(())
    })?;
    let bytes = fs::read(&bundle)?;
    Prepared::new(folder, bundle, bytes)
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
        let shell = tools::shell()?;
        let program = match env::var_os("MIXED_FEELINGS") {
            Some(program) => program.into(),
            None => {
                let package = ["--package", "mixed-feelings-native", "--bin", "mixed-feelings"];
                let build = tools::cargo(&shell).args(["build", "--locked", "--release", "--quiet"]);
                tools::program(build.args(package), "mixed-feelings")?
            }
        };
        let export = |out: &Path, more: &[&str]| export(&shell, &program, prepared, part, out, more);
        export(&exported, &[])?;
        export(&prepared.folder.join(&own), &["--int8"])?;
        eprintln!("quantising it with onnxruntime's tools ...");
        let config = &prepared.config.text;
        let script = places.bench.join("quantize.py");
        let [heads, hidden] = [config.num_attention_heads, config.hidden_size].map(|n| n.to_string());
        let shape = ["--part", name, "--heads", &heads, "--hidden", &hidden];
        cmd!(shell, "{python} {script} {shape...} --list {list} {exported}").ignore_stdout().run()?;
    }
    let text = fs::read_to_string(&list).with_context(|| list.display().to_string())?;
    let mut variants: Vec<Variant> =
        serde_json::from_str(&text).with_context(|| list.display().to_string())?;
    variants.push(Variant { numbers: "int8".into(), name: "the bundle's integers".into(), file: own });
    Ok(variants)
}

/// Runs `mixed-feelings export-onnx`.
fn export(
    shell: &Shell,
    program: &Path,
    prepared: &Prepared,
    part: Part,
    out: &Path,
    more: &[&str],
) -> Result<()> {
    let (part, bundle) = (part.name(), &prepared.bundle);
    let export = cmd!(shell, "{program} export-onnx --part {part} {more...} --bundle {bundle} --out {out}");
    Ok(export.ignore_stdout().run()?)
}

/// What the logits of a part's head are divided by.
///
/// # Errors
/// When the bundle cannot be read.
pub fn temperature(prepared: &Prepared, part: Part) -> Result<f32> {
    let temperatures = Analyzer::from_bundle(fs::read(&prepared.bundle)?)?.readout().temperatures;
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
    for file in tools::files_in(&places.root.join("native/src/onnx"))? {
        all.extend(fs::read(file)?);
    }
    Ok(all)
}
