//! Near-duplicates: the same text passed on, the same photo cut or compressed anew. They must not stand on both
//! sides of a split, or a model is asked what it has been told.

use std::collections::HashMap;

use mixed_feelings::{
    image::{ImageError, Picture, resize},
    model::Filter,
};
use rayon::prelude::*;

/// Shortest text, in characters of [`plain`], that counts: shorter ones are alike by chance ("good morning").
const SHORTEST: usize = 15;
/// Length of a shingle, in characters.
const SHINGLE: usize = 5;
/// Least share of common shingles (Jaccard) of two near-duplicates.
const ALIKE: f64 = 0.7;
/// MinHash bands and hashes a band: two texts that share 0.7 meet in a band with probability 0.99.
const BANDS: usize = 16;
const HASHES: usize = 4;

/// Groups of two or more texts that are near-duplicates, as indices in their order.
///
/// Candidates by MinHash with banding (Broder 1997; Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", 3.4),
/// confirmed by their exact Jaccard similarity.
pub fn near_texts(texts: &[&str]) -> Vec<Vec<usize>> {
    let plain: Vec<String> = texts.par_iter().map(|text| plain(text)).collect();
    let mut groups = Groups::new(texts.len());
    let mut first_of: HashMap<&str, usize> = HashMap::new();
    let mut distinct = Vec::new();
    for (i, text) in plain.iter().enumerate() {
        if text.chars().count() >= SHORTEST {
            match first_of.get(text.as_str()) {
                Some(&first) => groups.join(first, i),
                None => {
                    first_of.insert(text, i);
                    distinct.push(i);
                }
            }
        }
    }
    let shingled: Vec<Vec<u64>> = distinct.par_iter().map(|&i| shingles(&plain[i])).collect();
    let bands: Vec<[u64; BANDS]> = shingled.par_iter().map(|shingles| bands(shingles)).collect();
    for band in 0..BANDS {
        let mut buckets: HashMap<u64, (usize, usize)> = HashMap::new();
        for (i, keys) in bands.iter().enumerate() {
            // Against the first and the latest of the bucket: one that only resembles others between is rare.
            let (first, latest) = buckets.entry(keys[band]).or_insert((i, i));
            for other in [*first, *latest] {
                if other != i
                    && !groups.together(distinct[i], distinct[other])
                    && jaccard(&shingled[i], &shingled[other]) >= ALIKE
                {
                    groups.join(distinct[other], distinct[i]);
                }
            }
            *latest = i;
        }
    }
    groups.into_vec()
}

/// What of a text makes it the same text: lower-case letters and digits, without mentions, links and `RT`.
fn plain(text: &str) -> String {
    let lower = text.to_lowercase();
    let words = lower.split_whitespace().filter(|word| {
        !(*word == "rt" || word.starts_with('@') || word.starts_with("http") || word.starts_with("www."))
    });
    let mut plain = String::with_capacity(lower.len());
    for word in words {
        let start = plain.len();
        plain.extend(word.chars().filter(|character| character.is_alphanumeric()));
        if plain.len() > start {
            plain.push(' ');
        }
    }
    plain.truncate(plain.trim_end().len());
    plain
}

/// The hashes of all runs of [`SHINGLE`] characters, sorted, each once.
fn shingles(text: &str) -> Vec<u64> {
    let characters: Vec<char> = text.chars().collect();
    let hash = |run: &[char]| run.iter().fold(0, |hash, &character| mix(hash ^ u64::from(character)));
    let mut shingles: Vec<u64> = characters.windows(SHINGLE).map(hash).collect();
    shingles.sort_unstable();
    shingles.dedup();
    shingles
}

fn bands(shingles: &[u64]) -> [u64; BANDS] {
    std::array::from_fn(|band| {
        (0..HASHES).fold(0, |key, hash| {
            let seed = mix((band * HASHES + hash + 1) as u64);
            mix(key ^ shingles.iter().map(|&shingle| mix(shingle ^ seed)).min().unwrap_or(0))
        })
    })
}

/// SplitMix64's finaliser: a bijection that spreads its input over all bits.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// The share of two sorted sets that is common to both.
fn jaccard(a: &[u64], b: &[u64]) -> f64 {
    let common = a.iter().filter(|shingle| b.binary_search(shingle).is_ok()).count();
    common as f64 / (a.len() + b.len() - common).max(1) as f64
}

/// Columns and rows of the reduced picture that a [`Print`] is taken of.
const COLUMNS: usize = 9;
const ROWS: usize = 8;
/// Most differing bits of two near-duplicates' hashes. Also the number of bands, less one, of which one must be equal.
const BITS: u32 = 6;
/// Greatest mean difference of two near-duplicates' reduced pictures, in levels of 255.
const LEVELS: u64 = 10;

/// What is left of a picture to recognise it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Print {
    /// A difference hash: whether each grey pixel is brighter than its left neighbour.
    hash: u64,
    /// The reduced picture itself: flat pictures have equal hashes but other colours.
    colors: Vec<u8>,
}

impl Print {
    /// Takes a picture's print.
    ///
    /// # Errors
    /// Those of [`resize`]; there are none for this size.
    pub fn of(picture: &Picture) -> Result<Self, ImageError> {
        let small = resize(picture, COLUMNS as u32, ROWS as u32, Filter::Bilinear)?;
        let colors = small.pixels().to_vec();
        let grey: Vec<u32> =
            colors.chunks_exact(3).map(|rgb| rgb.iter().map(|&c| u32::from(c)).sum()).collect();
        let brighter =
            grey.chunks_exact(COLUMNS).flat_map(|row| row.windows(2).map(|pair| pair[1] > pair[0]));
        let hash = brighter.fold(0, |hash, bit| hash << 1 | u64::from(bit));
        Ok(Print { hash, colors })
    }

    fn is_near(&self, other: &Print) -> bool {
        let levels =
            || -> u64 { self.colors.iter().zip(&other.colors).map(|(a, b)| u64::from(a.abs_diff(*b))).sum() };
        (self.hash ^ other.hash).count_ones() <= BITS && levels() <= LEVELS * self.colors.len() as u64
    }
}

/// Groups of two or more prints that are near-duplicates, as indices in their order; `None` is near to nothing.
pub fn near_images(prints: &[Option<Print>]) -> Vec<Vec<usize>> {
    let mut groups = Groups::new(prints.len());
    let known: Vec<(usize, &Print)> =
        prints.iter().enumerate().filter_map(|(i, p)| Some((i, p.as_ref()?))).collect();
    // `BITS` flipped bits cannot reach each of `BITS + 1` bands: two near hashes agree in one of them.
    let width = u64::BITS.div_ceil(BITS + 1);
    for band in 0..=BITS {
        let mut buckets: HashMap<u64, Vec<(usize, &Print)>> = HashMap::new();
        for &(i, print) in &known {
            let key = (print.hash >> (band * width)) & ((1 << width) - 1);
            let bucket = buckets.entry(key).or_default();
            for &(other, other_print) in bucket.iter() {
                if !groups.together(i, other) && print.is_near(other_print) {
                    groups.join(other, i);
                }
            }
            bucket.push((i, print));
        }
    }
    groups.into_vec()
}

/// Disjoint sets of indices.
struct Groups {
    parent: Vec<usize>,
}

impl Groups {
    fn new(count: usize) -> Self {
        Groups { parent: (0..count).collect() }
    }

    fn root(&mut self, mut i: usize) -> usize {
        while self.parent[i] != i {
            self.parent[i] = self.parent[self.parent[i]];
            i = self.parent[i];
        }
        i
    }

    fn together(&mut self, a: usize, b: usize) -> bool {
        self.root(a) == self.root(b)
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a.max(b)] = a.min(b);
    }

    /// The sets of two or more, in the order of their first index.
    fn into_vec(mut self) -> Vec<Vec<usize>> {
        let mut sets: Vec<Vec<usize>> = vec![Vec::new(); self.parent.len()];
        for i in 0..self.parent.len() {
            let root = self.root(i);
            sets[root].push(i);
        }
        sets.retain(|set| set.len() > 1);
        sets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_passed_on_are_found() {
        let texts = [
            "Perfect solitude on the beach this morning #summer",
            "so tired of this weather, three weeks of rain",
            "RT @someone: Perfect solitude on the beach this morning!! #summer https://t.co/abc",
            "Perfect solitude on the beach this morning #summertime",
            "good morning",
            "Good morning!",
            "the beach was full this morning, no solitude at all",
        ];
        assert_eq!(near_texts(&texts), [[0, 2, 3]]);
        assert!(near_texts(&[]).is_empty());
        assert!(near_texts(&["", "", "????", "????"]).is_empty(), "nothing is left of these");
    }

    fn picture(width: u32, height: u32, color: impl Fn(f64, f64) -> [f64; 3]) -> Picture {
        let pixel = |i: u32| {
            let (x, y) = (f64::from(i % width) / f64::from(width), f64::from(i / width) / f64::from(height));
            color(x, y).map(|value| value as u8)
        };
        Picture::from_rgb(width, height, (0..width * height).flat_map(pixel).collect()).expect("sides fit")
    }

    #[test]
    fn the_same_photo_in_another_size_is_found() -> Result<(), ImageError> {
        let waves = |x: f64, y: f64| {
            [(x * 9.0).sin(), (y * 7.0 + x).cos(), (x * y * 20.0).sin()].map(|v| 127.0 + 99.0 * v)
        };
        let brighter = |x: f64, y: f64| waves(x, y).map(|value| value + 6.0);
        let mirrored = |x: f64, y: f64| waves(1.0 - x, y);
        let prints = [
            picture(90, 60, waves),
            picture(64, 64, |_, _| [255.0; 3]),
            picture(200, 210, brighter),
            picture(90, 60, mirrored),
            picture(64, 64, |_, _| [20.0; 3]),
        ];
        let mut prints = prints.iter().map(|p| Print::of(p).map(Some)).collect::<Result<Vec<_>, _>>()?;
        prints.push(None);
        assert_eq!(near_images(&prints), [[0, 2]]);
        Ok(())
    }
}
