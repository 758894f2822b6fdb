//! Base encoders to start training from: a local folder or, by name, the Hugging Face hub.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hf_hub::api::sync::ApiBuilder;

/// The configuration of an encoder, in its folder.
pub const CONFIG: &str = "config.json";
/// The weights of an encoder, in its folder.
pub const WEIGHTS: &str = "model.safetensors";
/// The tokenizer of a text encoder, in its folder; image encoders have none.
pub const TOKENIZER: &str = "tokenizer.json";

/// What a base encoder reads, which decides the files that it must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// A BERT: `config.json`, `model.safetensors`, `tokenizer.json`.
    Text,
    /// A CNN: `config.json`, `model.safetensors`.
    Images,
}

impl Reads {
    fn files(self) -> &'static [&'static str] {
        match self {
            Reads::Text => &[CONFIG, WEIGHTS, TOKENIZER],
            Reads::Images => &[CONFIG, WEIGHTS],
        }
    }
}

/// The folder with the files of a base encoder.
///
/// `name` is a folder, or the name of a model on the hub (`owner/model` or a bare `model`), which is downloaded to the
/// hub's cache (`HF_HOME`; `HF_ENDPOINT` names another hub). A folder of that name comes first.
///
/// # Errors
/// When a file is missing in the folder, or `name` is no folder and the hub does not give the files.
pub fn resolve_encoder(name: &str, reads: Reads) -> Result<PathBuf> {
    let folder = Path::new(name);
    if folder.is_dir() {
        for file in reads.files() {
            if !folder.join(file).is_file() {
                bail!("encoder {name}: the folder has no {file}; it needs {}", reads.files().join(", "));
            }
        }
        return Ok(folder.to_owned());
    }
    if !looks_like_a_hub_name(name) {
        bail!(
            "encoder {name}: there is no such folder, and it is not the name of a model on the hub (owner/model)"
        );
    }
    download(name, reads).with_context(|| {
        format!(
            "encoder {name}: no such folder here, and the Hugging Face hub did not give it; give a folder with {}, \
             or check the name and the network",
            reads.files().join(", ")
        )
    })
}

/// Hub names are `model` or `owner/model` in letters, digits, `-`, `_` and `.`.
fn looks_like_a_hub_name(name: &str) -> bool {
    let part = |p: &str| {
        p.starts_with(|c: char| c.is_ascii_alphanumeric())
            && p.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    let parts: Vec<&str> = name.split('/').collect();
    parts.len() <= 2 && parts.into_iter().all(part)
}

fn download(name: &str, reads: Reads) -> Result<PathBuf> {
    tracing::info!("fetching {name} from the Hugging Face hub");
    let model = ApiBuilder::from_env().build().context("opening the hub")?.model(name.to_owned());
    let mut folder = None;
    for file in reads.files() {
        let path = model.get(file).with_context(|| format!("fetching {file}"))?;
        folder = path.parent().map(Path::to_owned);
    }
    folder.context("the hub's cache has no folder")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_as_it_is_and_must_be_complete() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let name = folder.path().to_str().context("a plain path")?;
        std::fs::write(folder.path().join(CONFIG), "{}")?;
        std::fs::write(folder.path().join(WEIGHTS), "")?;
        assert_eq!(resolve_encoder(name, Reads::Images)?, folder.path());
        let told = resolve_encoder(name, Reads::Text).expect_err("no tokenizer").to_string();
        assert!(told.contains("has no tokenizer.json"), "{told}");
        Ok(())
    }

    #[test]
    fn a_path_is_never_asked_of_the_hub() {
        for name in ["./missing", "/missing/encoder", "a/b/c", "", "../up", "owner/"] {
            let told = resolve_encoder(name, Reads::Text).expect_err("missing").to_string();
            assert!(told.contains("no such folder"), "{told}");
        }
    }
}
