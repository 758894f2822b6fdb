//! Writes what fuzzing starts from, `FOLDER/TARGET/seed-...`: the repository's own images, texts and tables, and small models.
//!
//! The arguments are the folder, and folders with more images.

use std::{env, error::Error, fs, path::Path};

use mixed_feelings::{
    Analyzer, Bundle, Post,
    analyzer::Example,
    bundle::{BITS, BundleWriter, DType, GROUP, PackedWeights},
    model::{Architecture, FusionKind, ModelConfig},
    testing::{random_bundle, tiny_config, tiny_tokenizer},
    text::{prune, shorten},
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
        let bytes = random_bundle(&config, &tiny_tokenizer(), 1)?;
        seed("bundle", &name, header(&bytes)?)?;
    }
    for bits in BITS {
        let mut config = tiny_config();
        config.preprocess.input_size = 32;
        let bytes = packed(random_bundle(&config, &tiny_tokenizer(), 1)?, bits)?;
        seed("bundle", &format!("{bits}-bits"), header(&bytes)?)?;
    }
    let mut writer = BundleWriter::new();
    writer.i8("a.weight", &[3, 4], &[1; 12])?;
    writer.f32("a.scale", &[3], &[0.5; 3])?;
    seed("bundle", "small", &writer.finish()?)?;
    let mut writer = BundleWriter::new();
    let weights = PackedWeights { bits: 4, width: 40, codes: vec![-8; 80], multipliers: vec![15, 1, 15, 1] };
    writer.packed("a", &weights)?;
    seed("bundle", "packed", &writer.finish()?)?;
    seed("config", "labels", br#"["negative",{"name":"odd","polarity":-0.5}]"#)?;
    let bert = br#"{"model_type":"bert","architectures":["BertModel"],"vocab_size":30522,"hidden_size":384,
        "num_hidden_layers":6,"num_attention_heads":12,"intermediate_size":1536,"hidden_act":"gelu",
        "max_position_embeddings":512,"position_embedding_type":"absolute"}"#;
    seed("config", "bert", bert)?;
    seed("tokenizer_json", "tiny", tiny_tokenizer().as_bytes())?;
    seed("tokenizer_json", "short", shorten(&tiny_tokenizer())?.as_bytes())?;
    let (pruned, _) = prune(&tiny_tokenizer(), |id, _| id % 3 > 0)?;
    seed("tokenizer_json", "pruned", pruned.as_bytes())?;
    seed("tokenizer_json", "parity", &fs::read(tests.join("parity/tokenizer.json"))?)?;
    let mut analyzer = Analyzer::from_bundle(random_bundle(&tiny_config(), &tiny_tokenizer(), 7)?)?;
    let post = Post { text: Some("happy sun"), ..Post::default() };
    analyzer.learn(&[Example { post, label: "negative" }])?;
    let profile = analyzer.profile().ok_or("a profile")?;
    seed("profile", "learned", &profile.to_bytes())?;
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

/// The header alone: the target puts the weights behind it.
fn header(bytes: &[u8]) -> Result<&[u8]> {
    let length = u64::from_le_bytes(*bytes.first_chunk().ok_or("a bundle")?) as usize;
    Ok(bytes.get(..8 + length).ok_or("a bundle")?)
}

/// The bundle with its int8 weights as codes of `bits` bits, where rows are wide enough.
fn packed(bytes: Vec<u8>, bits: u32) -> Result<Vec<u8>> {
    let bundle = Bundle::parse(bytes)?;
    let mut writer = BundleWriter::new();
    for key in ["config", "labels", "tokenizer"] {
        writer.metadata(key, bundle.require(key)?)?;
    }
    for (name, dtype, shape) in bundle.tensors() {
        if dtype == DType::F32 {
            writer.f32(name, shape, &bundle.f32(name, shape)?)?;
            continue;
        }
        let levels = bundle.i8(name, shape)?;
        let width = levels.len() / shape[0];
        match name.strip_suffix(".weight").filter(|_| width >= 8) {
            Some(name) => {
                let codes = levels.iter().map(|level| level >> (8 - bits)).collect();
                let multipliers = vec![1; shape[0] * width.div_ceil(GROUP)];
                writer.packed(name, &PackedWeights { bits, width, codes, multipliers })?;
            }
            None => writer.i8(name, shape, levels)?,
        }
    }
    Ok(writer.finish()?)
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
