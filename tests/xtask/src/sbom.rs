//! The package's bill of materials: every crate that is compiled into its wasm programs, with version, licence, source and
//! checksum, as CycloneDX 1.5 (ECMA-424). It has no time and no random number, so that equal sources give an equal file.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use cargo_lock::Lockfile;
use serde_json::{Value, json};
use xshell::Shell;

use crate::{
    tools,
    wasm::{self, Build},
};

/// A crate as `cargo tree` prints it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Crate {
    name: String,
    version: String,
    licence: String,
    repository: String,
}

/// The bill of materials of `builds` and the decoder, which the package of this `package.json` contains.
///
/// # Errors
/// When cargo fails, or a crate is not in the lockfile.
pub fn bill_of_materials(shell: &Shell, builds: &[Build], package_json: &str) -> Result<String> {
    let package: Value = serde_json::from_str(package_json).context("package.json")?;
    let field = |name: &str| package[name].as_str().with_context(|| format!("package.json has no {name}"));
    let (package, version) = (field("name")?, field("version")?);
    let mut crates = BTreeSet::new();
    for build in builds {
        let features = ["--no-default-features", "--features", build.features];
        crates.extend(compiled(shell, "mixed-feelings", &features)?);
    }
    crates.extend(compiled(shell, "mixed-feelings-decoder", &[])?);
    let lockfile = Lockfile::load(tools::root()?.join("Cargo.lock")).context("Cargo.lock")?;
    let locked: BTreeMap<_, _> = lockfile
        .packages
        .iter()
        .map(|package| ((package.name.to_string(), package.version.to_string()), package.checksum.as_ref()))
        .collect();
    let mut components = Vec::with_capacity(crates.len());
    for it in crates {
        let checksum = locked.get(&(it.name.clone(), it.version.clone()));
        let checksum =
            checksum.with_context(|| format!("{} {} is not in Cargo.lock", it.name, it.version))?;
        components.push(component(&it, checksum.map(ToString::to_string)));
    }
    let bill = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": {
            "type": "library",
            "name": package,
            "version": version,
            "purl": format!("pkg:npm/{package}@{version}"),
            "licenses": [{ "expression": "MIT OR Apache-2.0" }],
        } },
        "components": components,
    });
    Ok(format!("{bill:#}\n"))
}

fn component(it: &Crate, checksum: Option<String>) -> Value {
    let Crate { name, version, licence, repository } = it;
    let mut component = json!({
        "type": "library",
        "name": name,
        "version": version,
        "purl": format!("pkg:cargo/{name}@{version}"),
        "licenses": [{ "expression": licence }],
        "externalReferences": [{ "type": "vcs", "url": repository }],
    });
    // The crates of this workspace come from no registry and have none.
    if let Some(checksum) = checksum {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    component
}

/// The crates that become part of the program of `package`: no tools of the build, no macros.
fn compiled(shell: &Shell, package: &str, features: &[&str]) -> Result<Vec<Crate>> {
    let options = ["tree", "--locked", "--edges", "normal,no-proc-macro", "--prefix", "none", "--no-dedupe"];
    let tree = tools::cargo(shell)
        .args(options)
        .args(["--package", package, "--target", wasm::TARGET, "--format", "{p}\t{l}\t{r}"])
        .args(features)
        .quiet()
        .read()?;
    let crates: Vec<_> = tree.lines().map(read).collect::<Result<_>>()?;
    ensure!(!crates.is_empty(), "cargo tree says nothing of {package}");
    Ok(crates)
}

/// Reads `name vVERSION (PATH)`, TAB, licence, TAB, repository.
fn read(line: &str) -> Result<Crate> {
    let understood = || -> Option<Crate> {
        let mut fields = line.split('\t');
        let mut words = fields.next()?.split(' ');
        let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        // Cargo's old way to write a choice.
        let licence = fields.next()?.replace('/', " OR ");
        let repository = fields.next()?;
        Some(Crate { name: name.into(), version: version.into(), licence, repository: repository.into() })
    };
    understood().with_context(|| format!("cargo tree printed {line:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_cargo_tree_is_read() {
        let line = "regex v1.13.2 (/here)\tMIT/Apache-2.0\thttps://example.org";
        let it = read(line).unwrap();
        assert_eq!((&*it.name, &*it.version, &*it.licence), ("regex", "1.13.2", "MIT OR Apache-2.0"));
        assert!(read("regex").is_err());
    }

    #[test]
    fn the_bill_lists_what_is_compiled_and_nothing_else() {
        let shell = tools::shell().unwrap();
        let bill =
            bill_of_materials(&shell, &wasm::SHIPPED, r#"{ "name": "it", "version": "1.2.3" }"#).unwrap();
        let bill: Value = serde_json::from_str(&bill).unwrap();
        assert_eq!(bill["metadata"]["component"]["purl"], "pkg:npm/it@1.2.3");
        let components = bill["components"].as_array().unwrap();
        let names: Vec<_> = components.iter().map(|c| c["name"].as_str().unwrap()).collect();
        for name in
            ["mixed-feelings", "mixed-feelings-decoder", "tokenizers", "safetensors", "wasm-bindgen", "png"]
        {
            assert!(names.contains(&name), "{name} is not among {names:?}");
        }
        // A macro, what macros are made with, what trains.
        for name in ["serde_derive", "syn", "candle-core"] {
            assert!(!names.contains(&name), "{name}");
        }
        for component in components {
            let own = component["name"].as_str().unwrap().starts_with("mixed-feelings");
            assert!(own != component["hashes"][0]["content"].is_string(), "{component}");
            assert!(!component["licenses"][0]["expression"].as_str().unwrap().is_empty(), "{component}");
        }
    }
}
