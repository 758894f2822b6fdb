//! From `src/` to wasm, by cargo; from wasm to wasm with JavaScript bindings, by wasm-bindgen as a library, so that nobody
//! has to install its program.

use std::{
    env, fs,
    path::{MAIN_SEPARATOR, Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use wasm_bindgen_cli_support::Bindgen;
use xshell::{Cmd, Shell, cmd};

use crate::tools::{self, artifacts, cargo};

/// The target of the browser builds.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// One way to compile the library.
#[derive(Clone, Copy, Debug)]
pub struct Build {
    /// The folder of its files in `pkg/dist/`.
    pub name: &'static str,
    /// Features of the library.
    pub features: &'static str,
    flags: &'static [&'static str],
}

/// What the package contains: the faster one of the CPU needs an engine with relaxed SIMD, and the GPU's is loaded where it
/// is asked for.
pub const SHIPPED: [Build; 3] = [
    Build { name: "simd128", features: "web", flags: &[] },
    Build { name: "relaxed-simd", features: "relaxed-simd,web", flags: &["-Ctarget-feature=+relaxed-simd"] },
    Build { name: "gpu", features: "web,webgpu", flags: &[] },
];

/// The float model in candle, which `cargo bench-web` measures too.
pub const REFERENCE: Build = Build { name: "reference", features: "float,web", flags: &[] };

/// Compiles the library and returns where the wasm is until the next build. What is fresh is up to cargo.
///
/// The builds share one target folder and all dependencies: only the library itself gets the flag for relaxed SIMD, and
/// its cargo feature keeps the two apart.
///
/// # Errors
/// When it does not compile.
pub fn compile(shell: &Shell, build: Build) -> Result<PathBuf> {
    let options = ["rustc", "--lib", "--package", "mixed-feelings", "--profile", "wasm", "--target", TARGET];
    let command = cargo(shell)
        .args(options)
        .args(["--no-default-features", "--features", build.features])
        .env("CARGO_ENCODED_RUSTFLAGS", flags(&folders(shell)?))
        // Without it, cargo gives cdylibs of the workspace one name whatever their features, and the builds push each
        // other out of the target folder. Should cargo forget this variable, that is all that happens: they take longer.
        .env("__CARGO_DEFAULT_LIB_METADATA", "mixed-feelings");
    built(command, build.flags)
}

/// Compiles the program that decodes pictures, `pkg/decoder`, and returns where the wasm is until the next build.
///
/// # Errors
/// When it does not compile.
pub fn compile_decoder(shell: &Shell) -> Result<PathBuf> {
    let options =
        ["rustc", "--lib", "--package", "mixed-feelings-decoder", "--profile", "wasm", "--target", TARGET];
    let command = cargo(shell).args(options).env("CARGO_ENCODED_RUSTFLAGS", flags(&folders(shell)?));
    // A picture that needs more costs an error, not the page.
    built(command, &["-Clink-arg=--max-memory=1073741824"])
}

/// Folders of this machine whose files the programs name where they panic, and what they call them: the same everywhere, so
/// that the programs are equal wherever they are built, and say nothing of who built them.
///
/// # Errors
/// When the compiler or cargo does not say where it is.
pub fn folders(shell: &Shell) -> Result<Vec<(PathBuf, String)>> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo"))).context("CARGO_HOME is not set")?;
    let sysroot = cmd!(shell, "rustc --print sysroot").quiet().read()?;
    let version = cmd!(shell, "rustc --version --verbose").quiet().read()?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: "));
    let commit = commit.context("rustc does not say what commit it is of")?;
    Ok(vec![
        (tools::root()?, "/mixed-feelings".into()),
        (tools::target_folder()?, "/mixed-feelings/target".into()),
        (home, "/cargo".into()),
        (sysroot.clone().into(), "/rust".into()),
        // What the standard library calls itself where its sources are not installed.
        (Path::new(&sysroot).join("lib/rustlib/src/rust"), format!("/rustc/{commit}")),
    ])
}

/// The flags for every crate of the programs, as `CARGO_ENCODED_RUSTFLAGS` has them, which takes precedence over the RUSTFLAGS
/// of whoever runs this.
fn flags(folders: &[(PathBuf, String)]) -> String {
    // Of those that fit, the compiler takes the last one: a folder in another comes after it.
    let mut folders: Vec<_> = folders.iter().collect();
    folders.sort_by_key(|(folder, _)| folder.components().count());
    let remaps = folders.into_iter().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    let flags: Vec<_> = ["-Ctarget-feature=+simd128".into()].into_iter().chain(remaps).collect();
    flags.join("\x1f")
}

/// Makes sure that a program names none of these folders.
///
/// # Errors
/// When it does.
pub fn ensure_names_none(wasm: &[u8], folders: &[(PathBuf, String)]) -> Result<()> {
    for (folder, _) in folders {
        let name = format!("{}{MAIN_SEPARATOR}", folder.display());
        let at = wasm.windows(name.len()).position(|window| window == name.as_bytes());
        let found = at.map(|at| String::from_utf8_lossy(&wasm[at..wasm.len().min(at + 120)]));
        ensure!(found.is_none(), "a program names a folder of this machine: {}", found.unwrap_or_default());
    }
    Ok(())
}

/// The exports of the decoder, as its documentation has them.
const DECODER: [&str; 8] =
    ["memory", "allocate", "inspect", "decode", "rgba", "output", "output_length", "incomplete"];

/// Takes out of the decoder what it does not use. The library depends on crates that are made for JavaScript's bindings, and
/// those export functions of their own, which need imports.
///
/// # Errors
/// When it is no wasm, lacks an export, or still has an import.
pub fn strip_decoder(wasm: &[u8]) -> Result<Vec<u8>> {
    let mut module = walrus::Module::from_buffer(wasm)?;
    let others = module.exports.iter().filter(|export| !DECODER.contains(&export.name.as_str()));
    for export in others.map(|export| export.id()).collect::<Vec<_>>() {
        module.exports.delete(export);
    }
    ensure!(module.exports.iter().count() == DECODER.len(), "the decoder lacks one of its exports");
    let sections: Vec<_> = module.customs.iter().map(|(id, _)| id).collect();
    for section in sections {
        module.customs.delete(section);
    }
    walrus::passes::gc::run(&mut module);
    let imports: Vec<_> = module.imports.iter().map(|import| import.name.clone()).collect();
    ensure!(imports.is_empty(), "the decoder has imports: {}", imports.join(", "));
    Ok(module.emit_wasm())
}

/// Runs a cargo command that compiles a cdylib to wasm, and returns where the wasm is.
///
/// # Errors
/// When it fails, or names no wasm.
pub fn built(command: Cmd<'_>, flags: &[&str]) -> Result<PathBuf> {
    let files = artifacts(command, flags)?.into_iter().flat_map(|artifact| artifact.filenames);
    let wasm = files.rev().find(|file| file.extension() == Some("wasm"));
    Ok(wasm.context("cargo did not say where the wasm is")?.into())
}

/// The files that [`bind`] writes.
pub fn outputs(folder: &Path, name: &str) -> [PathBuf; 2] {
    [format!("{name}.js"), format!("{name}_bg.wasm")].map(|file| folder.join(file))
}

/// Writes `{name}.js` and `{name}_bg.wasm` into `folder`. The `web` target loads everywhere: browsers, Node, Deno, Bun,
/// workerd.
///
/// # Errors
/// When the wasm is not one with bindings, or a file cannot be written.
pub fn bind(wasm: Vec<u8>, folder: &Path, name: &str) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let mut bindgen = Bindgen::new();
    // So that a program that crashed can be instantiated anew: its bindings are of the whole thread.
    bindgen.web(true)?.reset_state_function(true);
    bindgen.input_bytes(name, wasm).typescript(false).remove_producers_section(true);
    bindgen.generate(folder).with_context(|| format!("bindings in {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[(&str, &str)]) -> Vec<(PathBuf, String)> {
        names.iter().map(|&(from, to)| (from.into(), to.into())).collect()
    }

    #[test]
    fn the_folder_in_another_is_the_last_one() {
        let flags = flags(&of(&[("/a/b/target", "/t"), ("/a", "/x"), ("/a/b", "/c")]));
        let expected =
            ["-Ctarget-feature=+simd128", "--remap-path-prefix=/a=/x", "--remap-path-prefix=/a/b=/c"];
        assert!(flags.starts_with(&expected.join("\x1f")), "{flags}");
        assert!(flags.ends_with("\x1f--remap-path-prefix=/a/b/target=/t"), "{flags}");
    }

    #[test]
    fn a_program_that_names_a_folder_is_refused() {
        let folders = of(&[("/a/b", "/c")]);
        ensure_names_none(b"\0asm /c/src/lib.rs /a", &folders).unwrap();
        let why = ensure_names_none(b"\0asm /a/b/src/lib.rs", &folders).unwrap_err().to_string();
        assert!(why.ends_with(": /a/b/src/lib.rs"), "{why}");
    }

    #[test]
    fn the_compiler_takes_the_flags_and_leaves_out_the_folders() {
        let shell = tools::shell().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let (source, object) = (folder.join("lib.rs"), folder.join("lib.o"));
        fs::write(&source, "pub fn at() -> &'static str { file!() }").unwrap();
        let mut folders = folders(&shell).unwrap();
        folders.push((folder.clone(), "/elsewhere".into()));
        for (flags, named) in [(flags(&[]), true), (flags(&folders), false)] {
            let flags = flags.split('\x1f').filter(|flag| !flag.starts_with("-Ctarget-feature"));
            cmd!(shell, "rustc --crate-type=lib --emit=obj -o {object} {source}")
                .args(flags)
                .env_remove("RUSTFLAGS")
                .run()
                .unwrap();
            let outcome = ensure_names_none(&fs::read(&object).unwrap(), &folders);
            assert_eq!(outcome.is_err(), named, "{outcome:?}");
        }
    }
}
