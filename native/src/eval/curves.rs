//! Robustness: what is left of the figures as the posts get worse.

use anyhow::{Context, Result};
use mixed_feelings::{Scores, analyzer::Answer, image::Picture, model::Modality};
use rayon::prelude::*;
use serde::Serialize;

use super::{
    cases::{Case, Row},
    measured::Measured,
    report::Readings,
    robustness::{Corruption, corrupt_picture, corrupt_text},
};
use crate::{digest::fnv1a, engine::Engine, post, progress, stats::bootstrap::Bootstrap};

/// Strengths at which each corruption is measured, besides none.
pub const STRENGTHS: [f32; 4] = [0.25, 0.5, 0.75, 1.0];

/// What happens to the posts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    /// A share of them lose their picture.
    MissingImage,
    /// A share of them lose their text.
    MissingText,
    /// Their text or picture gets worse.
    Corrupted(Corruption),
}

/// The figures of the same posts at increasing damage.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// What happens to the posts.
    pub damage: &'static str,
    /// What is damaged.
    #[serde(rename = "side")]
    pub modality: Modality,
    /// What the strengths mean.
    pub strengths: &'static str,
    /// From no damage to the full one.
    pub points: Vec<Point>,
}

/// One strength.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// From 0 to 1. Of a missing modality: the share of the posts that lack it.
    pub strength: f32,
    /// The post against `label`.
    pub whole: Option<Measured>,
    /// The head that reads what is damaged against its own label; none for a missing modality.
    pub head: Option<Measured>,
}

impl Damage {
    const ALL: [Damage; 6] = [
        Damage::MissingImage,
        Damage::MissingText,
        Damage::Corrupted(Corruption::Typos),
        Damage::Corrupted(Corruption::Noise),
        Damage::Corrupted(Corruption::Blur),
        Damage::Corrupted(Corruption::Jpeg),
    ];

    fn name(self) -> &'static str {
        match self {
            Damage::MissingImage => "missing image",
            Damage::MissingText => "missing text",
            Damage::Corrupted(corruption) => corruption.name(),
        }
    }

    fn strengths(self) -> &'static str {
        match self {
            Damage::MissingImage | Damage::MissingText => "the share of the posts that lost it",
            Damage::Corrupted(corruption) => corruption.strengths(),
        }
    }

    fn modality(self) -> Modality {
        match self {
            Damage::MissingText | Damage::Corrupted(Corruption::Typos) => Modality::Text,
            _ => Modality::Image,
        }
    }
}

/// Asks the model about every case at every damage, and holds the answers to the labels. The seed of the
/// bootstrap decides who loses what; each case's damage depends on its id, not on its place.
///
/// # Errors
/// When a picture is unreadable or the model refuses a post; the row is named.
pub fn curves(
    engine: &Engine,
    cases: &[Case],
    plain: &[Answer],
    bootstrap: &Bootstrap,
) -> Result<Vec<Curve>> {
    let bar = progress::bar(cases.len(), "robustness");
    let damaged: Result<Vec<Vec<Answer>>> = cases
        .par_iter()
        .zip(plain)
        .with_min_len(16)
        .map_init(
            || engine.clone(),
            |engine, (case, plain)| {
                let answers = damage(engine, case, plain, bootstrap.seed).with_context(|| case.place.clone());
                bar.inc(1);
                answers
            },
        )
        .collect();
    bar.finish_and_clear();
    let damaged = damaged?;

    let readings = |answers: Vec<&Answer>| {
        let rows: Vec<Row<'_>> = cases.iter().zip(answers).collect();
        Readings::of(&rows, Some(bootstrap))
    };
    let undamaged = readings(plain.iter().collect());
    let curve = |(i, damage): (usize, Damage)| {
        let point = |strength, readings: Readings| {
            let head = match damage.modality() {
                Modality::Text => readings.text_on_text_label,
                Modality::Image => readings.image_on_image_label,
            };
            let head = head.filter(|_| matches!(damage, Damage::Corrupted(_)));
            Point { strength, whole: readings.whole, head }
        };
        let mut points = vec![point(0.0, undamaged.clone())];
        points.extend(STRENGTHS.iter().enumerate().map(|(j, strength)| {
            let at = i * STRENGTHS.len() + j;
            point(*strength, readings(damaged.iter().map(|answers| &answers[at]).collect()))
        }));
        Curve { damage: damage.name(), modality: damage.modality(), strengths: damage.strengths(), points }
    };
    Ok(Damage::ALL.into_iter().enumerate().map(curve).collect())
}

/// The answers to one case at each damage and strength, in that order. The damages of one modality come one after the
/// other, so that the model keeps what it has read of the other one.
fn damage(engine: &mut Engine, case: &Case, plain: &Answer, seed: u64) -> Result<Vec<Answer>> {
    let picture = case.image.as_deref().map(post::read_image).transpose()?;
    let seed = seed ^ fnv1a(&case.id);
    let mut answers = Vec::with_capacity(Damage::ALL.len() * STRENGTHS.len());
    for damage in Damage::ALL {
        for strength in STRENGTHS {
            answers.push(match damage {
                Damage::MissingImage => missing(plain, &plain.text, loses(seed, Modality::Image, strength)),
                Damage::MissingText => missing(plain, &plain.image, loses(seed, Modality::Text, strength)),
                Damage::Corrupted(corruption) => {
                    corrupted(engine, case, picture.as_ref(), corruption, strength, seed)?
                }
            });
        }
    }
    Ok(answers)
}

fn corrupted(
    engine: &mut Engine,
    case: &Case,
    picture: Option<&Picture>,
    corruption: Corruption,
    strength: f32,
    seed: u64,
) -> Result<Answer> {
    if corruption == Corruption::Typos {
        return engine.answer(Some(&corrupt_text(&case.text, strength, seed)), picture);
    }
    let worse = picture.map(|picture| corrupt_picture(picture, corruption, strength, seed)).transpose()?;
    engine.answer(Some(&case.text), worse.as_ref())
}

/// What is answered if a modality is lost and one is left: the head of the one that is left speaks for the post, which is
/// what the model does with a post that has one modality.
fn missing(plain: &Answer, left: &Option<Scores>, lost: bool) -> Answer {
    let post = left.as_ref().filter(|_| lost).unwrap_or(&plain.post);
    Answer { post: post.clone(), ..plain.clone() }
}

/// Whether a post is among the share that loses a modality: a post that does at one strength does at all higher ones.
fn loses(seed: u64, modality: Modality, share: f32) -> bool {
    let place = (seed ^ fnv1a(modality.name())).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    (place as f32) < share * (1u32 << 24) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_the_share_loses_its_modality_and_the_same_rows_at_higher_shares() {
        let lost = |share| {
            (0..1000)
                .filter(|i| loses(7 ^ fnv1a(&i.to_string()), Modality::Image, share))
                .collect::<Vec<i32>>()
        };
        for share in STRENGTHS {
            assert!((lost(share).len() as f32 - 1000.0 * share).abs() < 60.0, "{share}");
        }
        assert!(lost(0.25).iter().all(|row| lost(0.5).contains(row)));
        assert_eq!((lost(0.0).len(), lost(1.0).len()), (0, 1000));
    }
}
