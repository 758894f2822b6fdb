//! Natively what `web/page/sampling.js` does in a browser: samples of all contenders in turns, a calibration on either side.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::measured::Sample;

/// How much slower the calibration beside a sample may be than the fastest one.
const TOLERANCE: f64 = 1.15;
/// A sample is the mean of as many runs as fill this many milliseconds.
const SAMPLE_MS: f64 = 15.0;
const MAX_BATCH: f64 = 16.0;

/// Somebody to measure: each call is a run and returns its milliseconds.
pub type Runner<'a> = Box<dyn FnMut() -> Result<f64> + 'a>;

/// Runs until caches and clock speeds have settled; returns the fastest run.
///
/// # Errors
/// Those of the runs.
pub fn warm_up(runner: &mut Runner<'_>, time: Duration) -> Result<f64> {
    let began = Instant::now();
    let mut fastest = f64::INFINITY;
    let mut runs = 0;
    while runs < 3 || (began.elapsed() < time && runs < 1000) {
        fastest = fastest.min(runner()?);
        runs += 1;
    }
    Ok(fastest)
}

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub struct Until {
    /// Undisturbed samples of each.
    pub wanted: usize,
    /// Or this time.
    pub limit: Duration,
}

/// Rounds in which each contender (with its fastest run) is sampled once, in another order each time.
///
/// # Errors
/// Those of the runs.
pub fn sample(contenders: &mut [(f64, Runner<'_>)], until: Until) -> Result<Vec<Vec<Sample>>> {
    let mut raw: Vec<Vec<(f64, f64)>> = contenders.iter().map(|_| Vec::new()).collect();
    let mut best = (0..20).map(|_| calibrate()).fold(f64::INFINITY, f64::min);
    let began = Instant::now();
    for round in 0.. {
        let good =
            |all: &Vec<(f64, f64)>, best| all.iter().filter(|sample| sample.1 <= TOLERANCE * best).count();
        let due: Vec<usize> = (0..raw.len()).filter(|&i| good(&raw[i], best) < until.wanted).collect();
        if due.is_empty() || (round >= 3 && began.elapsed() > until.limit) {
            break;
        }
        for i in shuffled(due, round) {
            let (pace, runner) = &mut contenders[i];
            let batch = (SAMPLE_MS / *pace).ceil().clamp(1.0, MAX_BATCH);
            let before = calibrate();
            let mut total = 0.0;
            for _ in 0..batch as usize {
                total += runner()?;
            }
            let slower = before.max(calibrate());
            best = best.min(before).min(slower);
            raw[i].push((total / batch, slower));
        }
    }
    let judged = |(ms, slower): (f64, f64)| Sample { ms, good: slower <= TOLERANCE * best };
    Ok(raw.into_iter().map(|all| all.into_iter().map(judged).collect()).collect())
}

/// About a millisecond of steps each of which needs the one before.
fn calibrate() -> f64 {
    let began = Instant::now();
    let mut x = black_box(1u32);
    for _ in 0..600_000 {
        x = black_box(x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    }
    black_box(x);
    began.elapsed().as_secs_f64() * 1e3
}

/// In an order that follows from `seed`.
fn shuffled(mut all: Vec<usize>, seed: u64) -> Vec<usize> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for i in (1..all.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        all.swap(i, (state % (i as u64 + 1)) as usize);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_sampled_until_the_time_is_up() -> Result<()> {
        let mut contenders: Vec<(f64, Runner<'_>)> =
            vec![(5.0, Box::new(|| Ok(5.0))), (40.0, Box::new(|| Ok(40.0)))];
        let until = Until { wanted: usize::MAX, limit: Duration::ZERO };
        let samples = sample(&mut contenders, until)?;
        assert_eq!(samples.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3]);
        assert!(samples[0].iter().all(|sample| sample.ms == 5.0));
        Ok(())
    }

    #[test]
    fn a_shuffle_loses_nobody() {
        let mut all = shuffled((0..9).collect(), 7);
        assert_ne!(all, (0..9).collect::<Vec<_>>());
        all.sort();
        assert_eq!(all, (0..9).collect::<Vec<_>>());
    }
}
