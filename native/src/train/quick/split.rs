//! Which posts are learned from and which the model is measured on.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use mixed_feelings::layers::NoiseSource;

use super::{pictures::Pictures, posts::LabelledPost};
use crate::{
    data::duplicates::{near_images, near_texts},
    train::{folds, learn::shuffled},
};

/// One post of so many is measured on.
const PARTS: usize = 5;
/// Most posts that are learned from, and that are measured on: what fits in the time.
const MOST: [usize; 2] = [6000, 1000];

/// Indices of posts.
#[derive(Debug)]
pub struct Split {
    /// What is learned from.
    pub learned: Vec<usize>,
    /// What the model is measured on.
    pub held_out: Vec<usize>,
}

/// At most as many of the posts as there is time for, drawn at random.
pub fn sample(posts: Vec<LabelledPost>, seed: u64) -> Vec<LabelledPost> {
    let kept = at_most(MOST.iter().sum(), (0..posts.len()).collect(), seed);
    kept.into_iter().map(|i| posts[i].clone()).collect()
}

/// So many of the indices, drawn at random, in their order.
fn at_most(most: usize, indices: Vec<usize>, seed: u64) -> Vec<usize> {
    let mut drawn = shuffled(indices.len(), &NoiseSource::new(seed));
    drawn.truncate(most);
    drawn.sort_unstable();
    drawn.into_iter().map(|i| indices[i]).collect()
}

impl Split {
    /// As the column `split` says, where it says train and val; else one post in five is held out, each label in its share and
    /// near-duplicates together.
    ///
    /// # Errors
    /// When one side has no post, or only one label is left to learn.
    pub fn of(posts: &[LabelledPost], pictures: &Pictures, classes: usize, seed: u64) -> Result<Self> {
        let said = |name: &str| -> Vec<usize> {
            (0..posts.len()).filter(|&i| posts[i].split.as_deref() == Some(name)).collect()
        };
        let (mut learned, mut held_out) = (said("train"), said("val"));
        if learned.is_empty() || held_out.is_empty() {
            let groups = groups(posts, pictures);
            let names: Vec<String> = groups.iter().map(ToString::to_string).collect();
            let rows: Vec<_> =
                names.iter().zip(posts).map(|(name, post)| (name.as_str(), post.class)).collect();
            let folds = folds::assign(&rows, classes, PARTS, &NoiseSource::new(seed));
            (held_out, learned) = (0..posts.len()).partition(|&i| folds[i] == 0);
        }
        [learned, held_out] = [at_most(MOST[0], learned, seed), at_most(MOST[1], held_out, seed)];
        let seen: BTreeSet<usize> = learned.iter().map(|&i| posts[i].class).collect();
        ensure!(!held_out.is_empty(), "nothing is left to measure on: all posts are near-duplicates");
        ensure!(
            seen.len() > 1,
            "the posts to learn from have one label alone: the others are near-duplicates"
        );
        Ok(Split { learned, held_out })
    }
}

/// The group of each post: those whose texts or whose pictures are nearly the same.
fn groups(posts: &[LabelledPost], pictures: &Pictures) -> Vec<usize> {
    let texts: Vec<&str> = posts.iter().map(|post| post.text.as_str()).collect();
    let mut group: Vec<usize> = (0..posts.len()).collect();
    for alike in near_texts(&texts).into_iter().chain(near_images(&pictures.prints)) {
        let joined: Vec<usize> = alike.iter().map(|&i| group[i]).collect();
        let first = joined.iter().copied().min().unwrap_or_default();
        group.iter_mut().filter(|group| joined.contains(group)).for_each(|group| *group = first);
    }
    // The very same text counts however short it is.
    let mut first_of: BTreeMap<&str, usize> = BTreeMap::new();
    for i in 0..posts.len() {
        let other = group[i];
        let first = *first_of.entry(texts[i].trim()).or_insert(other);
        group.iter_mut().filter(|group| **group == other).for_each(|group| *group = first);
    }
    group
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posts(texts: &[&str]) -> Vec<LabelledPost> {
        let post = |(i, text): (usize, &&str)| LabelledPost {
            place: String::new(),
            text: (*text).to_owned(),
            image: None,
            class: i % 2,
            split: None,
        };
        texts.iter().enumerate().map(post).collect()
    }

    fn without_pictures(posts: &[LabelledPost]) -> Result<Pictures> {
        Pictures::read(&[], &mixed_feelings::testing::tiny_config(), posts)
    }

    #[test]
    fn near_duplicates_stay_together() -> Result<()> {
        let numbered: Vec<String> =
            (0..40).map(|i| format!("{} {} {}", i * 7919, i * 104_729, i * 1_299_709)).collect();
        let mut texts: Vec<&str> = numbered.iter().map(String::as_str).collect();
        texts.extend(["ok"; 7]);
        texts.extend([
            "Perfect solitude on the beach this morning",
            "RT @me: perfect solitude on the beach this morning!",
        ]);
        let posts = posts(&texts);
        let pictures = without_pictures(&posts)?;
        for seed in 0..5 {
            let Split { learned, held_out } = Split::of(&posts, &pictures, 2, seed)?;
            assert_eq!(learned.len() + held_out.len(), posts.len());
            assert!((6..=15).contains(&held_out.len()), "{held_out:?}");
            let held = |range: std::ops::Range<usize>| range.filter(|i| held_out.contains(i)).count();
            assert!([0, 7].contains(&held(40..47)) && [0, 2].contains(&held(47..49)), "{held_out:?}");
        }
        Ok(())
    }

    #[test]
    fn a_split_of_the_table_is_kept() -> Result<()> {
        let mut posts = posts(&["a", "b", "c", "d", "e"]);
        for (post, split) in posts.iter_mut().zip(["train", "train", "val", "test", "val"]) {
            post.split = Some(split.into());
        }
        let Split { learned, held_out } = Split::of(&posts, &without_pictures(&posts)?, 2, 1)?;
        assert_eq!((learned, held_out), (vec![0, 1], vec![2, 4]));
        Ok(())
    }

    #[test]
    fn of_a_long_table_some_is_taken() {
        let kept = at_most(10, (0..100).collect(), 1);
        assert!(kept.len() == 10 && kept.is_sorted() && kept.last() > Some(&50), "{kept:?}");
        assert_eq!(at_most(10, vec![3, 1], 1), [3, 1]);
    }
}
