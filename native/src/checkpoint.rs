//! A float checkpoint: a folder with `config.json` (the [`ModelConfig`]), `model.safetensors` (the weights, float32)
//! and `tokenizer.json`. Training keeps its own files beside them.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use mixed_feelings::{
    inference::float::FloatModel,
    model::{FusionParameters, LinearParameter, ModelConfig, Parameters},
};

use crate::{
    atomic,
    hub::{CONFIG, TOKENIZER, WEIGHTS},
    inventory,
};

/// The files of the checkpoint in the folder `dir`.
pub fn files(dir: &Path) -> [PathBuf; 3] {
    [CONFIG, TOKENIZER, WEIGHTS].map(|name| dir.join(name))
}

/// The linear layers of a model that read the image features.
pub fn image_readers(config: &ModelConfig) -> Vec<LinearParameter> {
    let Parameters { heads, fusion, .. } = Parameters::new(config);
    match fusion {
        FusionParameters::Late { .. } => vec![heads.image],
        FusionParameters::Attention { projections, .. } | FusionParameters::Concat { projections, .. } => {
            vec![heads.image, projections.image]
        }
    }
}

/// Everything that a float model is made of.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The model's configuration, checked.
    pub config: ModelConfig,
    /// The text of `tokenizer.json`.
    pub tokenizer: String,
    /// The weights by name.
    pub tensors: HashMap<String, Tensor>,
}

impl Checkpoint {
    /// Reads the folder `dir`, the weights onto `device`.
    ///
    /// # Errors
    /// When a file is missing, unreadable or malformed; the message names the file.
    pub fn load(dir: &Path, device: &Device) -> Result<Self> {
        let config = Self::config(dir)?;
        let tokenizer = read_text(&dir.join(TOKENIZER))?;
        let tensors = load_tensors(&dir.join(WEIGHTS), device)?;
        Ok(Checkpoint { config, tokenizer, tensors })
    }

    /// Reads the configuration alone.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn config(dir: &Path) -> Result<ModelConfig> {
        if !dir.is_dir() {
            bail!("checkpoint {}: there is no such folder", dir.display());
        }
        let path = dir.join(CONFIG);
        ModelConfig::from_json(&read_text(&path)?).with_context(|| at(&path))
    }

    /// Writes the folder `dir`, made if need be. Its three files are replaced together: there is never one of this model
    /// beside one of another.
    ///
    /// # Errors
    /// Those of the file system and of candle, with the file named.
    pub fn save(&self, dir: &Path) -> Result<()> {
        let config = serde_json::to_string_pretty(&self.config)?;
        atomic::write_folder(dir, |folder| {
            atomic::write(&folder.join(CONFIG), config.as_bytes())?;
            atomic::write(&folder.join(TOKENIZER), self.tokenizer.as_bytes())?;
            save_tensors(&folder.join(WEIGHTS), &self.tensors)
        })
    }

    /// The float model, of all its tensors.
    ///
    /// # Errors
    /// When a tensor is missing, has another shape than the configuration says, or has no place in it.
    pub fn model(&self, device: &Device) -> Result<FloatModel> {
        inventory::build(&self.tensors, device, |vb| FloatModel::load(vb, &self.config)).context(WEIGHTS)
    }

    /// The weights as the float model loads them.
    pub fn var_builder(&self, device: &Device) -> VarBuilder<'static> {
        VarBuilder::from_tensors(self.tensors.clone(), DType::F32, device)
    }
}

/// Reads a safetensors file; half-precision tensors become float32, integers stay.
///
/// # Errors
/// When the file is missing or malformed; the message names it.
pub fn load_tensors(path: &Path, device: &Device) -> Result<HashMap<String, Tensor>> {
    let bytes = read(path)?;
    let tensors = candle_core::safetensors::load_buffer(&bytes, device).with_context(|| {
        format!(
            "{}: not a whole safetensors file ({} bytes); fetch or train it again",
            path.display(),
            bytes.len()
        )
    })?;
    tensors
        .into_iter()
        .map(|(name, tensor)| {
            let wide = match tensor.dtype() {
                DType::F16 | DType::BF16 => tensor.to_dtype(DType::F32)?,
                _ => tensor,
            };
            Ok((name, wide))
        })
        .collect::<candle_core::Result<_>>()
        .with_context(|| at(path))
}

/// Writes a safetensors file as a whole or not at all.
///
/// # Errors
/// Those of the file system and of candle, with the file named.
pub fn save_tensors(path: &Path, tensors: &HashMap<String, Tensor>) -> Result<()> {
    let bytes = safetensors::serialize(tensors, None).with_context(|| at(path))?;
    atomic::write(path, &bytes)
}

/// Reads a whole file, which the error names.
///
/// # Errors
/// Those of the file system.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|e| missing(path, e))
}

/// Reads a whole UTF-8 file, which the error names.
///
/// # Errors
/// Those of the file system, and when it is not UTF-8.
pub fn read_text(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|e| missing(path, e))
}

fn missing(path: &Path, error: io::Error) -> anyhow::Error {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file",
        io::ErrorKind::InvalidData => "not UTF-8 text",
        io::ErrorKind::IsADirectory => "a folder, not a file",
        _ => return anyhow::Error::new(error).context(at(path)),
    };
    anyhow::anyhow!("{}: {why}", path.display())
}

/// The path, for messages.
pub fn at(path: &Path) -> String {
    path.display().to_string()
}

/// The path of `name` as written in the file `table`: relative paths start at the table's folder.
pub fn beside(table: &Path, name: &str) -> PathBuf {
    table.parent().unwrap_or(Path::new("")).join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> &'static str {
        r#"{"text": {"vocab_size": 100, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
                     "intermediate_size": 16, "max_position_embeddings": 32},
            "max_tokens": 16, "image": {"architecture": "resnet18"},
            "preprocess": {"input_size": 64, "mean": [0, 0, 0], "std": [1, 1, 1]},
            "fusion": {"width": 8, "heads": 2}}"#
    }

    fn checkpoint() -> Result<Checkpoint> {
        let ones = Tensor::ones((2, 3), DType::F32, &Device::Cpu)?;
        let tensors = HashMap::from([("heads.text.weight".to_owned(), ones)]);
        Ok(Checkpoint { config: ModelConfig::from_json(config())?, tokenizer: "{}".into(), tensors })
    }

    #[test]
    fn what_is_saved_is_loaded() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let dir = folder.path().join("runs/first");
        let saved = checkpoint()?;
        saved.save(&dir)?;
        let loaded = Checkpoint::load(&dir, &Device::Cpu)?;
        assert_eq!((loaded.config, loaded.tokenizer.as_str()), (saved.config, "{}"));
        assert_eq!(loaded.tensors["heads.text.weight"].to_vec2::<f32>()?, vec![vec![1.0; 3]; 2]);
        assert_eq!(fs::read_dir(&dir)?.count(), 3, "no temporary file stays");
        assert_eq!(fs::read_dir(folder.path().join("runs"))?.count(), 1, "nor a temporary folder");
        Ok(())
    }

    /// What stands in the way of one file must not leave it beside the others of another model.
    #[test]
    fn the_files_are_replaced_together() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let dir = folder.path().join("checkpoint");
        fs::create_dir_all(dir.join(WEIGHTS))?;
        fs::write(dir.join("bundle.safetensors"), "another file")?;
        checkpoint()?.save(&dir)?;
        assert_eq!(Checkpoint::load(&dir, &Device::Cpu)?.config, checkpoint()?.config);
        assert!(dir.join("bundle.safetensors").exists(), "what others put there stays");
        assert_eq!(fs::read_dir(folder.path())?.count(), 1, "no temporary folder stays");
        Ok(())
    }

    #[test]
    fn each_bad_file_is_named() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let dir = folder.path();
        let told = |dir: &Path| match Checkpoint::load(dir, &Device::Cpu) {
            Ok(_) => String::new(),
            Err(e) => format!("{e:#}"),
        };
        assert!(told(&dir.join("none")).contains("no such folder"));
        checkpoint()?.save(dir)?;

        fs::write(dir.join(CONFIG), config().replace("\"heads\": 2", "\"heads\": 3"))?;
        assert!(told(dir).contains("config.json: fusion.heads = 3"), "{}", told(dir));
        fs::write(dir.join(CONFIG), config())?;

        let whole = fs::read(dir.join(WEIGHTS))?;
        fs::write(dir.join(WEIGHTS), &whole[..whole.len() - 1])?;
        assert!(told(dir).contains("model.safetensors: not a whole safetensors file"), "{}", told(dir));
        fs::remove_file(dir.join(WEIGHTS))?;
        assert!(told(dir).contains("model.safetensors: there is no such file"), "{}", told(dir));

        fs::write(dir.join(TOKENIZER), [0xff, 0xfe])?;
        assert!(told(dir).contains("tokenizer.json: not UTF-8"), "{}", told(dir));
        Ok(())
    }

    #[test]
    fn half_precision_is_widened() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join(WEIGHTS);
        let half = Tensor::ones(2, DType::F16, &Device::Cpu)?;
        save_tensors(&path, &HashMap::from([("a".to_owned(), half)]))?;
        assert_eq!(load_tensors(&path, &Device::Cpu)?["a"].dtype(), DType::F32);
        Ok(())
    }
}
