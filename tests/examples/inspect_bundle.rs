//! Prints the metadata and the tensors of a bundle.
//!
//! ```text
//! cargo run --release --example inspect_bundle -- pkg/mixed-feelings-small.safetensors
//! ```

use std::{error::Error, fs};

use mixed_feelings::{
    Bundle,
    model::{ModelConfig, tokenizer_json},
};

const USAGE: &str = "usage: inspect_bundle FILE.safetensors";

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or(USAGE)?;
    let bundle = Bundle::parse(fs::read(file)?)?;

    let config = ModelConfig::of_bundle(&bundle)?;
    println!("{config:#?}");
    for label in config.labels.iter() {
        println!("label {:?}, polarity {:+}", label.name, label.polarity);
    }
    println!("tokenizer of {} bytes", tokenizer_json(&bundle)?.len());
    for key in ["format", "version", "created_by", "base", "trained_on", "licence"] {
        println!("{key}: {}", bundle.metadata(key).unwrap_or("(not given)"));
    }

    let mut values = 0;
    for (name, dtype, shape) in bundle.tensors() {
        println!("{dtype:4} {name} {shape:?}");
        values += shape.iter().product::<usize>();
    }
    println!("{} tensors, {values} values", bundle.tensors().count());
    Ok(())
}
