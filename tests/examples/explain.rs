//! Prints the share of every word and every region in the label's logit, and that they add up to it.
//!
//! ```text
//! cargo run --release --example explain -- 'Worst morning of my life' www/photos/summer-palace.jpg
//! ```

use std::{error::Error, fs, process::ExitCode};

use mixed_feelings::{
    Analyzer, Post,
    analyzer::{Explanation, ImageInput},
};

const BUNDLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/pkg/mixed-feelings-small.safetensors");
const USAGE: &str = "usage: explain TEXT [IMAGE]    (the text '' for an image alone)";

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
    let mut arguments = std::env::args().skip(1);
    let text = arguments.next().ok_or(USAGE)?;
    let image = arguments.next().map(fs::read).transpose()?;

    let mut analyzer = Analyzer::from_bundle(fs::read(BUNDLE)?)?;
    let image = image.as_deref().map(ImageInput::Encoded);
    let analysis = analyzer.analyze(Post { text: Some(&text), image })?;
    let Explanation { logit, base, words, regions } = analysis.explanation;

    println!("base value {base:+.4}");
    let mut sum = base;
    for word in words.iter().flatten() {
        println!("{:+10.4} {} (UTF-16 {}..{})", word.weight, word.text, word.start, word.end);
        sum += word.weight;
    }
    if let Some(regions) = &regions {
        for row in regions.weights.chunks(regions.columns) {
            let cells: Vec<String> = row.iter().map(|share| format!("{share:+.4}")).collect();
            println!("   {}", cells.join(" "));
            sum += row.iter().sum::<f32>();
        }
    }
    println!("sum        {sum:+.4}");
    println!("logit      {logit:+.4} of {:?}", analysis.label);
    if (sum - logit).abs() > 1e-3 {
        return Err(format!("the shares do not add up: {sum} is not {logit}").into());
    }
    Ok(())
}
