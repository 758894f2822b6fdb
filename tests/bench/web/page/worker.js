// Measures one case: opens every contender, keeps the fastest of each group, and samples them in turns.

import { calibrate, warmUpCalibration } from './calibration.js';
import { openOrt } from './ort.js';
import { openOurs, openPeak } from './ours.js';
import { openRten } from './rten.js';
import { prepareInputs } from './inputs.js';
import { sampleInTurns, warmUp } from './sampling.js';

const say = (progress) => self.postMessage({ progress });

self.onmessage = async ({ data: job }) => {
  try {
    self.postMessage({ result: await measure(job) });
  } catch (error) {
    self.postMessage({ error: String(error?.stack ?? error) });
  }
};

async function measure(job) {
  warmUpCalibration();
  const failures = [];
  const chosen = [];
  const inputs = await prepareInputs(job);
  // One after the other: two files of 440 MB are enough at a time.
  for (const { group, ways } of groups(job, inputs)) {
    let best;
    for (const { name, open } of ways) {
      try {
        const contender = await open();
        const pace = await warmUp(contender, job);
        say(`${group}, ${name}: ${pace.toFixed(2)} ms`);
        if (best && best.pace <= pace) await contender.close();
        else {
          await best?.contender.close();
          best = { contender, pace, name };
        }
      } catch (error) {
        say(`${group}, ${name}: not here, ${reason(error)}`);
        failures.push({ group, name, reason: reason(error) });
      }
    }
    if (best) chosen.push({ group, ...best, ways: ways.length });
  }
  const { samples, calibration } = await sampleInTurns(chosen, job, () => calibrate());
  const contenders = [];
  for (const [i, { group, name, ways, contender }] of chosen.entries()) {
    const macs = contender.macs ?? job.macs;
    contenders.push({ group, name, ways, macs, answer: (await contender.answer?.()) ?? null, samples: samples[i] });
    await contender.close();
  }
  return { contenders, failures, calibration, clock: smallestStep() };
}

/** Every contender's group, and the ways to run it of which the fastest is kept. */
function groups(job, inputs) {
  const all = [];
  const add = (group, ways) => ways.length > 0 && all.push({ group, ways });
  const builds = ['relaxed-simd', 'simd128'];
  for (const build of builds) add(`peak ${build}`, [{ name: build, open: () => openPeak(build) }]);
  for (const build of builds) add(`ours ${build}`, [{ name: build, open: () => openOurs(build, 'Engine', job, inputs) }]);
  if (job.reference) {
    add('candle f32', [{ name: 'candle', open: () => openOurs('reference', 'ReferenceEngine', job, inputs) }]);
  }
  for (const numbers of ['f32', 'int8']) {
    const files = job.onnx.filter((file) => file.numbers === numbers);
    add(`ort ${numbers}`, files.map((file) => ({ name: file.name, open: () => openOrt(file, job, inputs) })));
  }
  for (const numbers of ['f32', 'int8']) {
    // The forms with onnxruntime's own operators are not for others.
    const files = job.rten ? job.onnx.filter((file) => file.numbers === numbers && file.portable) : [];
    add(`rten ${numbers}`, files.map((file) => ({ name: file.name, open: () => openRten(file, job, inputs) })));
  }
  return all.filter(({ group }) => !job.only || job.only.some((part) => group.includes(part)));
}

function reason(error) {
  return String(error?.message ?? error).slice(0, 300);
}

/** The clock's resolution, in milliseconds. */
function smallestStep() {
  let least = Infinity;
  for (let i = 0; i < 200; i++) {
    const began = performance.now();
    let now = began;
    while (now === began) now = performance.now();
    least = Math.min(least, now - began);
  }
  return least;
}
