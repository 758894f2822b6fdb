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
        let (tokenizer, kept) = self.prune(tokenizer, &reader, &counts)?;

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

    /// The tokenizer without the rare pieces, and the old id of each that stays; `counts` by id, as `reader` reads.
    fn prune(&self, tokenizer: &str, reader: &Tokenizer, counts: &[u64]) -> Result<(String, Vec<u32>)> {
        let count = |id: u32| counts.get(id as usize).copied().unwrap_or_default();
        let mut of_emoji = HashSet::new();
        for emoji in emojis::iter() {
            of_emoji.extend(reader.encode(emoji.as_str())?.ids);
        }
        let words: HashSet<&str> = KEPT.lines().filter(|line| !line.starts_with('#')).collect();
        let mut single = HashSet::new();
        prune(tokenizer, |_, piece| {
            if characters(piece).count() == 1 {
                single.insert(piece.to_owned());
            }
            true
        })?;
        Ok(prune(tokenizer, |id, piece| {
            count(id) >= self.least
                || of_emoji.contains(&id)
                || words.contains(piece)
                || !can_be_spelled(piece, &single)
        })?)
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

/// The characters of a piece, what it begins with apart.
fn characters(piece: &str) -> impl Iterator<Item = char> {
    piece.strip_prefix(GOES_ON).filter(|rest| !rest.is_empty()).unwrap_or(piece).chars()
}

/// Whether the pieces of single characters make the piece, wherever it stands.
fn can_be_spelled(piece: &str, single: &HashSet<String>) -> bool {
    let goes_on = piece.len() > GOES_ON.len() && piece.starts_with(GOES_ON);
    characters(piece).count() > 1
        && characters(piece).enumerate().all(|(place, character)| {
            let prefix = if goes_on || place > 0 { GOES_ON } else { "" };
            single.contains(&format!("{prefix}{character}"))
        })
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::HashMap, fs};

    use mixed_feelings::text::Preparation;

    use super::*;

    const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    /// The newest text preparation, which asks the vocabulary for the rank of words.
    const PREPARATION: u32 = 2;

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

    /// Posts of every kind that the repository has: the corpus, the challenge, and texts that were made to be hard to read.
    fn posts() -> Vec<String> {
        let mut posts = Vec::new();
        for table in ["native/corpus/held_out.tsv", "native/corpus/train.tsv", "tests/challenge/texts.tsv"] {
            posts.extend(texts(Path::new(&format!("{ROOT}/{table}"))).unwrap());
        }
        let read = |file: &str| fs::read_to_string(format!("{ROOT}/tests/{file}")).unwrap();
        posts.extend(read("digest/text-cases.tsv").split(['\t', '\n']).map(str::to_owned));
        posts.extend(serde_json::from_str::<Vec<String>>(&read("digest/texts.json")).unwrap());
        let rows: serde_json::Value = serde_json::from_str(&read("parity/tokenizer.json")).unwrap();
        let rows = rows["rows"].as_array().unwrap();
        posts.extend(rows.iter().map(|row| row["text"].as_str().unwrap().to_owned()));
        posts
    }

    /// MiniLM's tokenizer, pruned by what the corpus has, reads as the whole one does wherever no piece is involved that was left
    /// out, and nothing becomes unknown anywhere.
    #[test]
    fn pruned_and_whole_tokenizers_agree_where_nothing_was_left_out() {
        let json = fs::read_to_string(format!("{ROOT}/tests/parity/minilm.json")).unwrap();
        let json = json.as_str();
        let reader = |json: &str| Tokenizer::from_json(json, 512, PREPARATION).unwrap();
        let whole = reader(json);
        let pruning = Pruning { least: 5, tables: vec![format!("{ROOT}/native/corpus/train.tsv").into()] };
        let counts = pruning.count(&whole, 30_522).unwrap();
        let (short, kept) = pruning.prune(json, &whole, &counts).unwrap();
        let pruned = reader(&short);
        pruned.check_vocab(kept.len()).unwrap();
        assert!(
            short.len() * 3 < json.len() * 2 && (5000..12_000).contains(&kept.len()),
            "{} pieces",
            kept.len()
        );

        let document: serde_json::Value = serde_json::from_str(json).unwrap();
        let pieces = document["model"]["vocab"].as_str().unwrap().split(' ');
        let names: HashMap<u32, String> = (0..).zip(pieces.map(str::to_owned)).collect();
        let left: HashSet<u32> = kept.iter().copied().collect();
        for (id, name) in &names {
            assert!(left.contains(id) || characters(name).count() > 1, "{name} is one character");
        }
        let ranks: HashMap<&str, u32> = names.iter().map(|(&id, name)| (name.as_str(), id)).collect();
        let unknown = ranks["[UNK]"];
        // As the pruned tokenizer numbers them, in the numbers of the whole one.
        let old = |ids: Vec<u32>| ids.into_iter().map(|id| kept[id as usize]).collect::<Vec<_>>();
        let letters = |ids: &[u32]| ids.iter().flat_map(|id| characters(&names[id])).collect::<String>();
        let goes_on = |id: &u32| names[id].len() > GOES_ON.len() && names[id].starts_with(GOES_ON);
        let words = |ids: Vec<u32>| -> Vec<Vec<u32>> {
            ids.chunk_by(|_, next| goes_on(next)).map(<[u32]>::to_vec).collect()
        };

        let (mut alike, mut anew, mut prepared) = (0, 0, 0);
        for post in posts() {
            // What the preparation asked for that is not there any more.
            let missed = RefCell::new(0);
            Preparation::of(PREPARATION).unwrap().clean(&post, &|word| {
                let rank = ranks.get(word).copied();
                *missed.borrow_mut() += usize::from(rank.is_some_and(|id| !left.contains(&id)));
                rank
            });
            let clean = pruned.clean(&post).text;
            if *missed.borrow() == 0 {
                assert_eq!(clean, whole.clean(&post).text, "{post:?}");
                prepared += 1;
            }
            let read = words(whole.encode_clean(&clean).unwrap());
            let found = words(old(pruned.encode_clean(&clean).unwrap()));
            assert_eq!(found.len(), read.len(), "{post:?}");
            for (found, read) in found.iter().zip(&read) {
                assert_eq!(found.contains(&unknown), read.contains(&unknown), "{post:?}");
                if read.iter().all(|id| left.contains(id)) {
                    assert_eq!(found, read, "{post:?}");
                    alike += 1;
                } else {
                    assert_eq!(letters(found), letters(read), "{post:?}");
                    anew += 1;
                }
            }
        }
        println!(
            "{} pieces; {alike} words alike, {anew} split anew; {prepared} posts prepared alike",
            kept.len()
        );
        assert!(alike > 100_000 && anew > 5000 && prepared > 10_000, "{alike} {anew} {prepared}");
    }
}
