//! Reads a post with the bundle of this repository.
//!
//! ```text
//! cargo run --release --example analyze -- 'Worst morning of my life' www/photos/summer-palace.jpg
//! ```

use std::{error::Error, fs, process::ExitCode};

use mixed_feelings::{
    Analyzer, Post, Scores,
    analyzer::{Explanation, ImageInput},
};

const BUNDLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/pkg/mixed-feelings-small.safetensors");
const USAGE: &str = "usage: analyze TEXT [IMAGE]    (the text '' for an image alone)";

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

    print_reading("post", &analysis.label, &analysis.scores, analysis.valence);
    for (name, reading) in [("text", &analysis.text), ("image", &analysis.image)] {
        if let Some(reading) = reading {
            print_reading(name, &reading.label, &reading.scores, reading.valence);
        }
    }
    if let Some(contradiction) = analysis.contradiction {
        println!("contradiction {contradiction:.2}");
    }
    print_strongest(&analysis.explanation, &analysis.label);
    Ok(())
}

fn print_reading(name: &str, label: &str, scores: &Scores, valence: f32) {
    let scores = scores.labels().names().zip(scores.probabilities());
    let scores: Vec<String> = scores.map(|(label, score)| format!("{label} {score:.2}")).collect();
    println!("{name:5} {label} (valence {valence:+.2}; {})", scores.join(", "));
}

/// The three words and the three regions with the largest shares.
fn print_strongest(explanation: &Explanation, label: &str) {
    let mut shares = Vec::new();
    for word in explanation.words.iter().flatten() {
        shares.push((word.weight, format!("word {:?}", word.text)));
    }
    print_three(shares, label);
    let mut shares = Vec::new();
    if let Some(regions) = &explanation.regions {
        for (i, &weight) in regions.weights.iter().enumerate() {
            let (row, column) = (i / regions.columns + 1, i % regions.columns + 1);
            shares.push((weight, format!("region in row {row} of {}, column {column}", regions.rows)));
        }
    }
    print_three(shares, label);
}

fn print_three(mut shares: Vec<(f32, String)>, label: &str) {
    shares.sort_by(|(a, _), (b, _)| b.abs().total_cmp(&a.abs()));
    for (share, item) in shares.iter().take(3) {
        let direction = if *share > 0.0 { "for" } else { "against" };
        println!("{share:+.3} {direction} {label}: {item}");
    }
}
