// Samples of all contenders in turns, so that what disturbs the machine disturbs all of them alike.

/** How much slower the calibration beside a sample may be than the fastest one. */
export const TOLERANCE = 1.15;
/** A sample is the mean of as many runs as fill this many milliseconds. */
const SAMPLE_MS = 15;
const MAX_BATCH = 16;

/** Runs a contender until its code is compiled as well as it will be; returns its fastest run in milliseconds. */
export async function warmUp(contender, { warmUpMs }) {
  const began = performance.now();
  let fastest = Infinity;
  for (let run = 0; run < 5 || performance.now() - began < warmUpMs; run++) {
    fastest = Math.min(fastest, await contender.run());
    // Slow ones have long loops: those are compiled after a run or two.
    if (run >= 2 && performance.now() - began > 4 * warmUpMs) break;
  }
  return fastest;
}

/** How many runs make a sample. */
export function batchOf(pace) {
  return Math.min(MAX_BATCH, Math.max(1, Math.ceil(SAMPLE_MS / pace)));
}

/** Whether nothing disturbed a sample, given the fastest calibration. */
export function isGood({ before, after }, best) {
  return Math.max(before, after) <= TOLERANCE * best;
}

/** A shuffled copy. */
export function shuffled(items, random = Math.random) {
  const all = [...items];
  for (let i = all.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [all[i], all[j]] = [all[j], all[i]];
  }
  return all;
}

/**
 * Rounds in which each contender is sampled once, in an order of its own, until each has `wanted` good samples or the
 * time is up. Returns them all, the disturbed ones marked.
 */
export async function sampleInTurns(contenders, { wanted, limitMs, calibration }, calibrate) {
  const samples = contenders.map(() => []);
  const began = performance.now();
  let best = Math.min(calibration ?? Infinity, calibrate());
  const missing = (i) => samples[i].filter((sample) => isGood(sample, best)).length < wanted;
  for (let round = 0; round < 3 || performance.now() - began < limitMs; round++) {
    const due = contenders.map((_, i) => i).filter(missing);
    if (due.length === 0) break;
    for (const i of shuffled(due)) {
      const { contender, pace } = contenders[i];
      const batch = batchOf(pace);
      const before = calibrate();
      let total = 0;
      for (let run = 0; run < batch; run++) total += await contender.run();
      const after = calibrate();
      best = Math.min(best, before, after);
      samples[i].push({ ms: total / batch, before, after });
    }
  }
  for (const all of samples) for (const sample of all) sample.good = isGood(sample, best);
  return { samples, calibration: best };
}
