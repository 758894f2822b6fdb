//! Posts a second, one by one and in calls of 8, 32 and 128, on short texts that all differ:
//! `cargo run --release --example many --no-default-features`.
//!
//! The ways take turns, so that a machine that slows down slows all of them, and the median counts. The floor is the time
//! that the text encoder's products take at the rate of the bare register tile.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use mixed_feelings::{
    Analyzer, Bundle, Error, Post,
    analyzer::Stage,
    backend::cpu::{InstructionSet, peak},
    model::{ModelConfig, tokenizer_json},
    text::Tokenizer,
};

const POSTS: usize = 128;
const ROUNDS: usize = 9;
const WORDS: [&str; 24] = [
    "the", "bus", "was", "late", "again", "but", "I", "love", "this", "cold", "morning", "with", "my",
    "friends", "and", "nobody", "told", "us", "what", "a", "lovely", "mess", "we", "made",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "pkg/mixed-feelings-small.safetensors".into());
    let bytes = std::fs::read(&path).map_err(|error| format!("{path}: {error}"))?;
    let bundle = Bundle::parse(bytes.clone())?;
    let config = ModelConfig::of_bundle(&bundle)?;
    let tokenizer =
        Tokenizer::from_json(tokenizer_json(&bundle)?, config.max_tokens, config.text_preparation)?;
    let texts: Vec<String> = (0..POSTS).map(text).collect();
    let mut lengths = Vec::new();
    for text in &texts {
        lengths.push(tokenizer.encode(text).map_err(Error::from)?.ids.len());
    }
    let posts: Vec<Post<'_>> = texts.iter().map(|text| Post { text: Some(text), image: None }).collect();

    let mut analyzer = Analyzer::from_bundle(bytes)?;
    let sizes = [1, 8, 32, 128];
    let mut took = sizes.map(|_| Vec::new());
    let mut fusion = sizes.map(|_| Duration::ZERO);
    for round in 0..=ROUNDS {
        for ((&size, took), fusion) in sizes.iter().zip(&mut took).zip(&mut fusion) {
            let began = Instant::now();
            let in_fusion = all(&mut analyzer, &posts, size)?;
            // The first round makes the buffers.
            if round > 0 {
                took.push(began.elapsed());
                *fusion += in_fusion;
            }
        }
    }
    let layer =
        4 * config.text.hidden_size.pow(2) + 2 * config.text.hidden_size * config.text.intermediate_size;
    let tokens: usize = lengths.iter().sum();
    let macs = (tokens * layer * config.text.num_hidden_layers) as f64;
    let set = InstructionSet::best();
    let tiles = 20_000;
    let fastest = (0..20).map(|_| {
        let began = Instant::now();
        black_box(peak(set, tiles));
        began.elapsed()
    });
    let rate = peak(set, 1).macs as f64 * f64::from(tiles) / fastest.min().unwrap_or_default().as_secs_f64();
    let (least, most) = (lengths.iter().min().unwrap_or(&0), lengths.iter().max().unwrap_or(&0));
    println!(
        "{POSTS} texts of {least} to {most} tokens, {:.1} on average; {}",
        tokens as f64 / POSTS as f64,
        set.name()
    );
    let mut alone = None;
    for ((size, took), fusion) in sizes.iter().zip(&mut took).zip(fusion) {
        took.sort_unstable();
        let median = took.get(took.len() / 2).copied().unwrap_or_default().as_secs_f64();
        let alone = *alone.get_or_insert(median);
        let share = fusion.as_secs_f64() / took.iter().sum::<Duration>().as_secs_f64();
        println!(
            "{size:4} at once: {:7.1} posts a second, {:.2} times one by one; {:.1} % fusion and explanation",
            POSTS as f64 / median,
            alone / median,
            100.0 * share,
        );
    }
    println!("   floor: {:7.1} posts a second at {:.1} GMAC/s", POSTS as f64 * rate / macs, rate / 1e9);
    Ok(())
}

/// Analyzes all posts, `size` at once, and returns the time of fusion and explanation.
fn all(analyzer: &mut Analyzer, posts: &[Post<'_>], size: usize) -> mixed_feelings::Result<Duration> {
    let mut fusion = Duration::ZERO;
    let mut running: Option<Instant> = None;
    let mut begins = |stage| {
        if let Some(began) = running.take() {
            fusion += began.elapsed();
        }
        running = (stage == Stage::Fusion).then(Instant::now);
    };
    for posts in posts.chunks(size) {
        if let [post] = posts {
            black_box(analyzer.analyze_observed(*post, &mut begins)?);
        } else {
            for analysis in analyzer.analyze_many_observed(posts, |stage, _| begins(stage)) {
                black_box(analysis?);
            }
        }
        // Ends the last stage.
        begins(Stage::Tokenize);
    }
    Ok(fusion)
}

/// 8 to 18 words.
fn text(number: usize) -> String {
    let words = (0..8 + number * 7 % 11).map(|i| WORDS[(number * 13 + i * (number % 5 + 1)) % WORDS.len()]);
    words.collect::<Vec<_>>().join(" ")
}
