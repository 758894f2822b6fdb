//! Words that are drawn out, `haaate`, `niiiice`: where a letter three times or more makes no word twice but one once, it stands once. All
//! others keep two of each letter, as `sooo` does.

use super::{Rank, Unit};

/// Longer words are screams.
const LONGEST: usize = 40;

/// The most letters of a word that are drawn out; with more of them it is a scream too.
const MOST: usize = 4;

/// Words of a lower rank are parts of words, or of other languages.
const FREQUENT: u32 = 12_000;

/// Gives drawn-out words their spelling. The letters that are left stand for those that are dropped.
pub(super) fn shorten(units: Vec<Unit>, rank: &Rank<'_>) -> Vec<Unit> {
    let alike = |a: &Unit, b: &Unit| a.c.eq_ignore_ascii_case(&b.c);
    let thrice =
        |w: &[Unit]| matches!(w, [a, b, c] if a.c.is_ascii_alphabetic() && alike(a, b) && alike(b, c));
    if !units.windows(3).any(thrice) {
        return units;
    }
    let mut out = Vec::with_capacity(units.len());
    for word in units.chunk_by(|a, b| a.c.is_alphanumeric() == b.c.is_alphanumeric()) {
        let letters = word.len() <= LONGEST && word.iter().all(|u| u.c.is_ascii_alphabetic());
        let runs: Vec<&[Unit]> = word.chunk_by(alike).collect();
        match spelling(&runs, rank).filter(|_| letters) {
            Some(lengths) => out.extend(runs.iter().zip(lengths).flat_map(|(run, len)| kept(run, len))),
            None => out.extend_from_slice(word),
        }
    }
    out
}

/// How often each run of a letter stands in the commonest word that they can make; `None` where two of each make one, or nothing does.
fn spelling(runs: &[&[Unit]], rank: &Rank<'_>) -> Option<Vec<usize>> {
    let drawn: Vec<usize> =
        runs.iter().enumerate().filter(|(_, run)| run.len() > 2).map(|(i, _)| i).collect();
    if !(1..=MOST).contains(&drawn.len()) {
        return None;
    }
    let lengths = |choice: usize| -> Vec<usize> {
        let single = |i: usize| drawn.iter().position(|at| *at == i).is_some_and(|n| choice >> n & 1 == 1);
        runs.iter().enumerate().map(|(i, run)| if single(i) { 1 } else { run.len().min(2) }).collect()
    };
    let place = |lengths: &[usize]| {
        let letters = runs.iter().zip(lengths).filter_map(|(run, len)| Some((run.first()?.c, *len)));
        let word: String =
            letters.flat_map(|(c, len)| std::iter::repeat_n(c.to_ascii_lowercase(), len)).collect();
        rank(&word).filter(|rank| *rank < FREQUENT && word.len() > 2)
    };
    if place(&lengths(0)).is_some() {
        return None;
    }
    let choices = (1..1 << drawn.len()).map(lengths);
    let words = choices.filter_map(|lengths| Some((place(&lengths)?, lengths)));
    words.min_by_key(|(rank, _)| *rank).map(|(_, lengths)| lengths)
}

/// The first `len` units of a run, the last of which stands for the rest too.
fn kept(run: &[Unit], len: usize) -> Vec<Unit> {
    let mut kept: Vec<Unit> = run.iter().take(len).copied().collect();
    if let (Some(last), Some(end)) = (kept.last_mut(), run.last()) {
        last.end = end.end;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::{super::units, *};

    #[test]
    fn drawn_out_words_are_spelled_as_they_are() {
        let words = ["hate", "worst", "perfect", "nice", "cool", "col", "good", "god", "soo", "so", "happy"];
        let rank = |word: &str| words.iter().position(|w| *w == word).map(|at| at as u32);
        let short = |text: &str| shorten(units(text), &rank);
        let read = |text: &str| short(text).iter().map(|u| u.c).collect::<String>();
        for (text, expected) in [
            ("I haaate this", "I hate this"),
            ("Wooooorst!!! NIIIICE", "Worst!!! NICE"),
            ("perfeeeect haaappyyy", "perfect happy"),
            // Two of a letter make a word, or nothing does.
            ("cooool gooood sooo", "cooool gooood sooo"),
            ("aaargh www.x mmm3 yesss", "aaargh www.x mmm3 yesss"),
        ] {
            assert_eq!(read(text), expected);
        }
        let hate = short("haaate");
        assert_eq!((hate[1].start, hate[1].end, hate[2].start), (1, 4, 4));
    }
}
