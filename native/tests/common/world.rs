//! A tiny world: a model with random weights, its tokenizer, a few pictures, tables of pairs and texts.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use candle_core::{DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};
use mixed_feelings::{
    inference::float::FloatModel,
    model::ModelConfig,
    testing::{tiny_config, tiny_tokenizer},
};
use tempfile::TempDir;

/// A temporary folder with everything in it; gone when dropped.
pub struct World {
    folder: TempDir,
}

impl World {
    /// An empty one.
    pub fn new() -> Self {
        World { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// The path of a file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file in it.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(&path, content).expect("written");
        path
    }

    /// `checkpoint/`: a small model whose weights are random but always the same.
    pub fn with_checkpoint(self) -> Self {
        self.with_checkpoint_of(&tiny_config())
    }

    /// `checkpoint/`: a model of this shape, for the tiny tokenizer.
    pub fn with_checkpoint_of(self, config: &ModelConfig) -> Self {
        self.write("checkpoint/config.json", serde_json::to_string(config).expect("plain values"));
        self.write("checkpoint/tokenizer.json", tiny_tokenizer());
        let variables = VarMap::new();
        FloatModel::load(VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu), config)
            .expect("a model");
        fill(&variables);
        variables.save(self.path("checkpoint/model.safetensors")).expect("written");
        self
    }

    /// `base/text/` and `base/image/`: the encoders of `checkpoint/`, each in the layout of a published one. The image
    /// encoder asks for pictures of this side.
    pub fn with_base_encoders(self, side: usize) -> Self {
        let tensors = candle_core::safetensors::load(self.path("checkpoint/model.safetensors"), &Device::Cpu);
        let tensors = tensors.expect("the world's checkpoint");
        let config = fs::read_to_string(self.path("checkpoint/config.json")).expect("its config");
        let config: serde_json::Value = serde_json::from_str(&config).expect("JSON");
        for (folder, prefix) in [("base/text", "text."), ("base/image", "image.")] {
            let named = tensors.iter().filter_map(|(n, t)| Some((n.strip_prefix(prefix)?, t.clone())));
            let part: HashMap<&str, Tensor> = named.collect();
            fs::create_dir_all(self.path(folder)).expect("made");
            let file = self.path(&format!("{folder}/model.safetensors"));
            candle_core::safetensors::save(&part, file).expect("written");
        }
        self.write("base/text/config.json", config["text"].to_string());
        fs::copy(self.path("checkpoint/tokenizer.json"), self.path("base/text/tokenizer.json"))
            .expect("copied");
        let image = serde_json::json!({
            "architecture": config["image"]["architecture"],
            "input_size": [3, side, side], "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5],
        });
        self.write("base/image/config.json", image.to_string());
        self
    }

    /// What lies in it, hidden files too: a failed run must leave it as it was.
    pub fn listing(&self) -> Vec<String> {
        let mut names = Vec::new();
        list(self.folder.path(), &mut names);
        names.sort();
        names
    }

    /// `images/0.bmp` to `images/5.bmp`, `pairs.tsv` over them (two of each split, one a conflict) and `texts.tsv`.
    pub fn with_tables(self) -> Self {
        for i in 0..6u8 {
            self.write(&format!("images/{i}.bmp"), bmp(40, 30, |x, y| [x * 5 + i, y * 7, 40 * i]));
        }
        self.write(
            "pairs.tsv",
            "id\timage\ttext\ttext_label\timage_label\tlabel\trelation\tsplit\n\
             p0\timages/0.bmp\tso good\tpositive\tpositive\tpositive\tagree\ttrain\n\
             p1\timages/1.bmp\ta bad day\tnegative\tneutral\tnegative\tone_neutral\ttrain\n\
             p2\timages/2.bmp\tgood, good!\tpositive\tnegative\tconflict\tconflict\tval\n\
             p3\timages/3.bmp\ta day.\tneutral\tpositive\tpositive\tone_neutral\tval\n\
             p4\timages/4.bmp\tbad\tnegative\tnegative\tnegative\tagree\tval\n\
             p5\timages/5.bmp\ta c d e\tneutral\tneutral\tneutral\tagree\tval\n",
        );
        self.write("texts.tsv", "label\ttext\npositive\tso good\nnegative\tso bad!\nneutral\ta day\n");
        self
    }
}

fn list(folder: &Path, names: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        names.push(path.display().to_string());
        if path.is_dir() {
            list(&path, names);
        }
    }
}

/// Weights from a hash of name and index, small enough that no layer saturates; norms stay as they were made.
fn fill(variables: &VarMap) {
    for (name, variable) in variables.data().lock().expect("one thread").iter() {
        let dims = variable.dims().to_vec();
        if dims.len() < 2 && !name.ends_with("bias") {
            continue;
        }
        let inputs: usize = dims.iter().skip(1).product();
        let scale = if dims.len() < 2 { 0.05 } else { (3.0 / inputs as f32).sqrt() };
        let mut state =
            name.bytes().fold(7u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let values: Vec<f32> = (0..variable.elem_count())
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((state >> 8) as f32 / (1 << 23) as f32 - 1.0) * scale
            })
            .collect();
        variable.set(&Tensor::from_vec(values, dims, &Device::Cpu).expect("fits")).expect("same shape");
    }
}

/// A 24-bit BMP file: the simplest picture there is.
pub fn bmp(width: u8, height: u8, pixel: impl Fn(u8, u8) -> [u8; 3]) -> Vec<u8> {
    let row = (usize::from(width) * 3).next_multiple_of(4);
    let size = 54 + row * usize::from(height);
    let mut file = Vec::with_capacity(size);
    file.extend(b"BM");
    file.extend((size as u32).to_le_bytes());
    file.extend([0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0]);
    file.extend(u32::from(width).to_le_bytes());
    file.extend(u32::from(height).to_le_bytes());
    file.extend([1, 0, 24, 0]);
    file.extend([0; 24]);
    for y in (0..height).rev() {
        let start = file.len();
        for x in 0..width {
            let [r, g, b] = pixel(x, y);
            file.extend([b, g, r]);
        }
        file.resize(start + row, 0);
    }
    file
}

/// The first bytes of a PNG that claims 60,000 x 60,000 pixels.
pub fn png_bomb() -> Vec<u8> {
    let mut header = b"IHDR".to_vec();
    header.extend(60_000u32.to_be_bytes());
    header.extend(60_000u32.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    file.extend(13u32.to_be_bytes());
    file.extend(&header);
    file.extend(crc32(&header).to_be_bytes());
    file.extend(0u32.to_be_bytes());
    file.extend(b"IDAT");
    file.extend(crc32(b"IDAT").to_be_bytes());
    file
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1)))
    })
}

/// The text of the tiny model's `config.json`.
pub fn config() -> String {
    serde_json::to_string(&tiny_config()).expect("plain values")
}
