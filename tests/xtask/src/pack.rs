//! `cargo pack`: builds the npm package in `pkg/` from the sources beside it. What is up to date is left alone: of Rust,
//! cargo knows what that is; of the rest, the content of the files says.

use std::{fs, path::PathBuf, thread};

use anyhow::{Context, Result, anyhow};
use xshell::{Shell, cmd};

use crate::{
    sbom,
    tools::{self, npm, once},
    wasm::{self, Build},
};

/// Builds the npm package in pkg/: the wasm programs, their bindings, the TypeScript.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct Args {
    /// Also build the float model in candle, which `cargo bench-web` measures beside the int8 one, into pkg/dist/reference/.
    #[arg(long)]
    pub reference: bool,
    /// Make the JavaScript and the bindings again even if they are up to date; of Rust, cargo decides.
    #[arg(long)]
    pub force: bool,
}

/// Where things are.
struct Places {
    pkg: PathBuf,
    dist: PathBuf,
    /// Tells what was built from which input.
    markers: PathBuf,
}

/// Builds what is not up to date and tells how large it is.
///
/// # Errors
/// As [`build`].
pub fn run(args: &Args) -> Result<()> {
    let changed = build(args)?;
    if changed.is_empty() { Ok(()) } else { print_sizes(&tools::shell()?, &changed) }
}

/// Builds what is not up to date and returns the wasm that is new.
///
/// # Errors
/// When Node.js is missing, or something does not build.
pub fn build(args: &Args) -> Result<Vec<PathBuf>> {
    let shell = tools::shell()?;
    // So that nobody waits minutes for the wasm to learn that something is missing.
    tools::require_node(&shell)?;
    tools::require_target(&shell, wasm::TARGET)?;
    let pkg = tools::root()?.join("pkg");
    let markers = tools::target_folder()?.join("pack");
    let places = Places { dist: pkg.join("dist"), pkg, markers };
    if args.force && places.markers.exists() {
        fs::remove_dir_all(&places.markers).with_context(|| places.markers.display().to_string())?;
    }
    let mut builds = wasm::SHIPPED.to_vec();
    builds.extend(args.reference.then_some(wasm::REFERENCE));
    let steps = builds.len() + 2;
    let (built, decoder) = thread::scope(|scope| {
        let scripts = scope.spawn(|| typescript(&places));
        let mut built = Vec::new();
        for (number, &build) in builds.iter().enumerate() {
            eprintln!(
                "[{}/{steps}] compiling {} to wasm, meanwhile the TypeScript ...",
                number + 1,
                build.name
            );
            let wasm = wasm::compile(&shell, build)?;
            built.push((build, fs::read(&wasm).with_context(|| wasm.display().to_string())?));
        }
        eprintln!("[{}/{steps}] compiling the decoder of pictures to wasm ...", steps - 1);
        let decoder = wasm::compile_decoder(&shell)?;
        scripts.join().map_err(|_| anyhow!("the thread that compiles the TypeScript panicked"))??;
        anyhow::Ok((built, fs::read(&decoder).with_context(|| decoder.display().to_string())?))
    })?;
    let folders = wasm::folders(&shell)?;
    for wasm in built.iter().map(|(_, wasm)| wasm).chain([&decoder]) {
        wasm::ensure_names_none(wasm, &folders)?;
    }
    eprintln!("[{steps}/{steps}] JavaScript bindings ...");
    let mut changed = Vec::new();
    for (build, wasm) in built {
        changed.extend(bindings(&places, build, wasm)?);
    }
    scripts(&shell, &places)?;
    changed.extend(place_decoder(&places, &decoder)?);
    list_crates(&shell, &places)?;
    Ok(changed)
}

/// Makes of the compiled TypeScript and of the bindings the scripts that the package ships, which takes no second.
fn scripts(shell: &Shell, places: &Places) -> Result<()> {
    let _in_pkg = shell.push_dir(&places.pkg);
    Ok(npm(shell).args(["run", "--silent", "bundle"]).quiet().run()?)
}

/// Puts the decoder, which needs no bindings, into the package; returns it if it is new.
fn place_decoder(places: &Places, wasm: &[u8]) -> Result<Option<PathBuf>> {
    let (file, marker) = (places.dist.join("decoder.wasm"), places.markers.join("decoder"));
    let mut changed = None;
    once(&marker, &tools::fingerprint(&[wasm]), &[&file], || {
        fs::write(&file, wasm::strip_decoder(wasm)?).with_context(|| file.display().to_string())?;
        changed = Some(file.clone());
        Ok(())
    })?;
    Ok(changed)
}

/// Writes the package's bill of materials.
fn list_crates(shell: &Shell, places: &Places) -> Result<()> {
    let (file, marker) = (places.dist.join("sbom.cdx.json"), places.markers.join("sbom"));
    let package = fs::read_to_string(places.pkg.join("package.json")).context("package.json")?;
    let lockfile = fs::read(tools::root()?.join("Cargo.lock")).context("Cargo.lock")?;
    once(&marker, &tools::fingerprint(&[package.as_bytes(), &lockfile]), &[&file], || {
        let bill = sbom::bill_of_materials(shell, &wasm::SHIPPED, &package)?;
        fs::write(&file, bill).with_context(|| file.display().to_string())
    })
}

/// Makes the bindings of a program, unless they are there; returns its wasm if it is new.
fn bindings(places: &Places, build: Build, wasm: Vec<u8>) -> Result<Option<PathBuf>> {
    let folder = places.dist.join(build.name);
    let [script, program] = wasm::outputs(&folder, "engine");
    let marker = places.markers.join(build.name);
    let mut changed = None;
    once(&marker, &tools::fingerprint(&[&wasm]), &[&script, &program], || {
        wasm::bind(wasm, &folder, "engine")?;
        changed = Some(program.clone());
        Ok(())
    })?;
    Ok(changed)
}

/// Installs the compiler, compiles, and copies the licences.
fn typescript(places: &Places) -> Result<()> {
    let shell = tools::shell()?;
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        shell.copy_file(licence, &places.pkg)?;
    }
    shell.change_dir(&places.pkg);
    tools::npm_ci(&shell)?;
    let mut sources = tools::files_in(&places.pkg.join("src"))?;
    sources.extend(tools::files_in(&places.pkg.join("scripts"))?);
    // The bundle's digits and the package's version become part of the JavaScript; the lock has the compiler's.
    sources.extend(
        ["tsconfig.json", "mixed-feelings-small.safetensors.sha256", "package.json", "package-lock.json"]
            .map(|name| places.pkg.join(name)),
    );
    let mut inputs = Vec::new();
    for source in &sources {
        inputs.push(source.as_os_str().as_encoded_bytes().to_vec());
        inputs.push(fs::read(source).with_context(|| source.display().to_string())?);
    }
    let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
    once(
        &places.markers.join("typescript"),
        &tools::fingerprint(&inputs),
        &[&places.dist.join("modules/index.js")],
        || Ok(npm(&shell).args(["run", "--silent", "build"]).run()?),
    )
}

/// Node has both compressors; prints one line a file, in bytes.
const SIZES: &str = "\
const { readFileSync } = require('node:fs');
const { gzipSync, brotliCompressSync } = require('node:zlib');
const row = (name, sizes) => console.error(name.padEnd(40) + sizes.map((size) => String(size).padStart(11)).join(''));
row('bytes', ['raw', 'gzip', 'brotli']);
for (const file of process.argv.slice(1)) {
  const bytes = readFileSync(file);
  row(file, [bytes.length, gzipSync(bytes, { level: 9 }).length, brotliCompressSync(bytes).length]);
}";

/// How large the wasm is, as it lies on the disk and as servers send it.
fn print_sizes(shell: &Shell, files: &[PathBuf]) -> Result<()> {
    let root = shell.current_dir();
    let files = files.iter().map(|file| file.strip_prefix(&root).unwrap_or(file));
    Ok(cmd!(shell, "node -e {SIZES}").args(files).quiet().run()?)
}
