//! Writes what fuzzing starts from, `FOLDER/TARGET/seed-...`: the repository's own images, texts and tables, and small models.
//!
//! The arguments are the folder, and folders with more images.

use std::{env, error::Error, fs, path::Path};

use mixed_feelings::{
    bundle::BundleWriter,
    model::{Architecture, FusionKind, ModelConfig},
    testing::{random_bundle, tiny_config, tiny_tokenizer},
};

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result {
    let mut arguments = env::args_os().skip(1);
    let folder = arguments.next().ok_or("give a folder")?;
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let seed = |target: &str, name: &str, bytes: &[u8]| -> Result {
        let folder = Path::new(&folder).join(target);
        fs::create_dir_all(&folder)?;
        Ok(fs::write(folder.join(format!("seed-{name}")), bytes)?)
    };
    for config in configs() {
        let name = format!("{:?}-{:?}", config.fusion.kind, config.image.architecture);
        seed("config", &name, serde_json::to_string(&config)?.as_bytes())?;
        // The header alone: the target puts the weights behind it.
        let mut bytes = random_bundle(&config, &tiny_tokenizer(), 1)?;
        let header = u64::from_le_bytes(*bytes.first_chunk().ok_or("a bundle")?) as usize;
        bytes.truncate(8 + header);
        seed("bundle", &name, &bytes)?;
    }
    let mut writer = BundleWriter::new();
    writer.i8("a.weight", &[3, 4], &[1; 12])?;
    writer.f32("a.scale", &[3], &[0.5; 3])?;
    seed("bundle", "small", &writer.finish()?)?;
    seed("config", "labels", br#"["negative",{"name":"odd","polarity":-0.5}]"#)?;
    let bert = br#"{"model_type":"bert","architectures":["BertModel"],"vocab_size":30522,"hidden_size":384,
        "num_hidden_layers":6,"num_attention_heads":12,"intermediate_size":1536,"hidden_act":"gelu",
        "max_position_embeddings":512,"position_embedding_type":"absolute"}"#;
    seed("config", "bert", bert)?;
    seed("tokenizer_json", "tiny", tiny_tokenizer().as_bytes())?;
    seed("tokenizer_json", "parity", &fs::read(tests.join("parity/tokenizer.json"))?)?;
    for sizes in 0u8..16 {
        let bytes: Vec<u8> = (0..24u8).map(|i| i.wrapping_mul(37).wrapping_add(sizes)).collect();
        seed("instruction_sets", &sizes.to_string(), &[&[sizes][..], &bytes].concat())?;
    }
    texts(&tests, &seed)?;
    let folders = [tests.join("fixtures/images").into()].into_iter().chain(arguments);
    for (number, folder) in folders.enumerate() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let bytes = fs::read(&path)?;
            if bytes.len() < 1 << 15 && !name.ends_with(".safetensors") {
                seed("image", &format!("{number}-{name}"), &bytes)?;
            }
        }
    }
    Ok(())
}

fn configs() -> Vec<ModelConfig> {
    let mut configs = Vec::new();
    for architecture in [Architecture::MobilenetV3Small, Architecture::EfficientnetLite0] {
        for kind in [FusionKind::Pooled, FusionKind::Tokens, FusionKind::Concat, FusionKind::Late] {
            let mut config = tiny_config();
            (config.fusion.kind, config.image.architecture) = (kind, architecture);
            config.preprocess.input_size = 32;
            configs.push(config);
        }
    }
    configs
}

/// Texts, and the tables that hold them.
fn texts(tests: &Path, seed: &dyn Fn(&str, &str, &[u8]) -> Result) -> Result {
    let texts: Vec<String> = serde_json::from_slice(&fs::read(tests.join("digest/texts.json"))?)?;
    for (number, text) in texts.iter().enumerate() {
        seed("text", &number.to_string(), text.as_bytes())?;
    }
    let table = |reader: u8, name: &str, table: &str| {
        let first: Vec<&str> = table.lines().take(6).collect();
        seed("table", name, &[&[reader][..], first.join("\n").as_bytes()].concat())
    };
    for (reader, name) in [(0, "texts.tsv"), (2, "pairs.tsv"), (2, "swaps.tsv")] {
        table(reader, name, &fs::read_to_string(tests.join("challenge").join(name))?)?;
    }
    let pairs = "id\timage\ttext\ttext_label\timage_label\tlabel\trelation\tdup_group\tsplit\n\
        1\ta.jpg\tso \"good\"\tpositive\tnegative\tconflict\tconflict\t12\tval";
    table(1, "pairs", pairs)?;
    table(
        4,
        "posts",
        "{\"text\": \"Perfect \\ud83d\\ude02\", \"image\": null}\n{\"image\": \"a.png\"}\nnonsense",
    )
}
