//! Leaving word pieces out that texts hardly have: their embeddings are most of a small text encoder.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor};
use mixed_feelings::{
    model::Parameters,
    text::{Tokenizer, prune},
};
use serde::Serialize;

use crate::{checkpoint::Checkpoint, data::Table, progress};

/// Pieces that stay however rare they are, one word a line.
const KEPT: &str = include_str!("kept_words.txt");
/// What a piece begins with that goes on with a word.
const GOES_ON: &str = "##";

/// Which pieces stay.
#[derive(Debug)]
pub struct Pruning {
    /// How often a piece must stand in the texts.
    pub least: u64,
    /// Tables with a column `text`.
    pub tables: Vec<PathBuf>,
}

/// What was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Pieces before.
    pub before: usize,
    /// Pieces after.
    pub after: usize,
    /// Tokens of the texts.
    pub tokens: u64,
    /// Those of a piece that was left out: they are split anew.
    pub split: u64,
}

impl Pruning {
    /// Leaves the rare pieces out of the checkpoint's tokenizer and embeddings. Single characters stay, so that every word that could be
    /// read can be read; so do special tokens, the words of a list and those that emoji become.
    ///
    /// # Errors
    /// When a table cannot be read or the checkpoint's parts do not fit together.
    pub fn apply(&self, checkpoint: &mut Checkpoint) -> Result<Pruned> {
        let Checkpoint { config, tokenizer, .. } = &*checkpoint;
        let reader = Tokenizer::from_json(tokenizer, config.max_tokens, config.text_preparation)?;
        let counts = self.count(&reader, config.text.vocab_size)?;
        let count = |id: u32| counts.get(id as usize).copied().unwrap_or_default();
        let mut of_emoji = HashSet::new();
        for emoji in emojis::iter() {
            of_emoji.extend(reader.encode(emoji.as_str())?.ids);
        }
        let words: HashSet<&str> = KEPT.lines().filter(|line| !line.starts_with('#')).collect();
        let mut single = HashSet::new();
        prune(&checkpoint.tokenizer, |_, piece| {
            let character = piece.strip_prefix(GOES_ON).filter(|rest| !rest.is_empty()).unwrap_or(piece);
            if character.chars().count() == 1 {
                single.insert(piece.to_owned());
            }
            true
        })?;
        let (tokenizer, kept) = prune(&checkpoint.tokenizer, |id, piece| {
            count(id) >= self.least
                || of_emoji.contains(&id)
                || words.contains(piece)
                || !can_be_spelled(piece, &single)
        })?;

        let words = Parameters::new(&checkpoint.config).text.words;
        let name = format!("{}.weight", words.name);
        let table = checkpoint
            .tensors
            .get(&name)
            .with_context(|| format!("the checkpoint has no tensor `{name}`"))?;
        let fits = kept.iter().all(|&id| (id as usize) < words.rows);
        ensure!(fits, "the tokenizer has ids without an embedding: it is not the checkpoint's");
        let rows = Tensor::from_vec(kept.clone(), kept.len(), &Device::Cpu)?;
        let table = table.index_select(&rows, 0)?;
        checkpoint.tensors.insert(name, table);
        checkpoint.tokenizer = tokenizer;
        checkpoint.config.text.vocab_size = kept.len();
        let kept: HashSet<u32> = kept.into_iter().collect();
        let split = (0..).zip(&counts).filter(|(id, _)| !kept.contains(id)).map(|(_, count)| count).sum();
        Ok(Pruned { before: words.rows, after: kept.len(), tokens: counts.iter().sum(), split })
    }

    /// How often each piece stands in the texts.
    fn count(&self, tokenizer: &Tokenizer, pieces: usize) -> Result<Vec<u64>> {
        let mut counts = vec![0; pieces];
        for path in &self.tables {
            let texts = texts(path)?;
            let bar = progress::bar(texts.len(), "counting word pieces");
            for text in texts {
                for id in tokenizer.encode(&text)?.ids {
                    if let Some(count) = counts.get_mut(id as usize) {
                        *count += 1;
                    }
                }
                bar.inc(1);
            }
            bar.finish_and_clear();
        }
        Ok(counts)
    }
}

fn texts(path: &Path) -> Result<Vec<String>> {
    let table = Table::read(path)?;
    let column = table.column("text")?;
    Ok(table.rows().map(|row| row.get(column).to_owned()).collect())
}

/// Whether the pieces of single characters make the piece.
fn can_be_spelled(piece: &str, single: &HashSet<String>) -> bool {
    let (goes_on, characters) = match piece.strip_prefix(GOES_ON) {
        Some(rest) if !rest.is_empty() => (true, rest),
        _ => (false, piece),
    };
    characters.chars().count() > 1
        && characters.chars().enumerate().all(|(place, character)| {
            let prefix = if goes_on || place > 0 { GOES_ON } else { "" };
            single.contains(&format!("{prefix}{character}"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_spelled_stays() {
        let single: HashSet<String> = ["a", "##a", "b"].map(str::to_owned).into();
        for (piece, spelled) in [
            ("aa", true),
            ("##aa", true),
            ("ba", true),
            ("ab", false),
            ("##ba", false),
            ("a", false),
            ("##", false),
        ] {
            assert_eq!(can_be_spelled(piece, &single), spelled, "{piece}");
        }
    }
}
