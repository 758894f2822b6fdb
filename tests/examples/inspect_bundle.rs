//! Prints the metadata and the tensors of a bundle.
//!
//! ```text
//! cargo run --release --example inspect_bundle -- pkg/mixed-feelings-small.safetensors
//! ```

use std::{error::Error, fs, process::ExitCode};

use mixed_feelings::{
    Bundle,
    model::{ModelConfig, tokenizer_json},
};

const USAGE: &str = "usage: inspect_bundle FILE.safetensors";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or(USAGE)?;
    let bundle = Bundle::parse(fs::read(file)?)?;

    let config = ModelConfig::of_bundle(&bundle)?;
    for key in ["format", "version", "created_by", "base", "trained_on", "licence", "config"] {
        println!("{key}: {}", bundle.metadata(key).unwrap_or("(none)"));
    }
    println!("tokenizer: {} bytes", tokenizer_json(&bundle)?.len());
    for label in config.labels.iter() {
        println!("label: {}, polarity {:+}", label.name, label.polarity);
    }

    let mut values = 0;
    for (name, dtype, shape) in bundle.tensors() {
        println!("{:3} {name} {shape:?}", dtype.to_string());
        values += shape.iter().product::<usize>();
    }
    println!("{} tensors, {values} values", bundle.tensors().count());
    Ok(())
}
