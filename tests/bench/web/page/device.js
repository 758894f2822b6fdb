// One contender on one device: how long until it has answered, how long an answer takes in batches of each size, and what it is.

import { openPackage } from './on-package.js';
import { openProvider } from './on-provider.js';
import { prepareInputs } from './inputs.js';

/** Runs of which the time of a batch is the median, if there is time for so many. */
const RUNS = 5;

/** `counted()` tells what was asked of WebGPU so far. */
export async function measureDevice(job, counted) {
  const inputs = await prepareInputs({ ...job, count: Math.max(...job.batches) });
  const began = performance.now();
  const contender = await (job.who === 'ours' ? openPackage : openProvider)(job, inputs);
  const opened = performance.now() - began;
  let answers = await contender.ask([0]);
  const answered = performance.now() - began;
  const count = Math.max(job.texts.length, inputs.pictures.length);
  const batches = [];
  let turn = 1;
  let stopped = null;
  for (const size of job.batches) {
    try {
      batches.push(await measureSize(size));
    } catch (error) {
      // What was measured until then counts.
      stopped = `${size}: ${String(error?.message ?? error).slice(0, 300)}`;
      break;
    }
    if (performance.now() - began > job.wholeMs) break;
  }

  async function measureSize(size) {
    const times = [];
    const before = await counted();
    // The first of a size compiles what this size needs; the batch of one has had its first.
    const runs = size === 1 ? RUNS : RUNS + 1;
    for (let run = 0; run < runs && (run === 0 || sum(times) < job.limitMs); run++) {
      const inOrder = run === 0 && size > 1;
      const asked = Array.from({ length: size }, (_, i) => (inOrder ? i : turn++ % count));
      const start = performance.now();
      const answer = await contender.ask(asked);
      times.push(performance.now() - start);
      if (inOrder) answers = answer;
    }
    const after = await counted();
    const dispatches = (after.dispatches - before.dispatches) / times.length;
    const firstMs = size === 1 ? answered - opened : times.shift();
    const ms = times.length > 0 ? median(times) : null;
    console.log(`batch of ${size}: first ${firstMs.toFixed(0)} ms, then ${ms?.toFixed(1) ?? 'no more'} ms`);
    return { size, firstMs, ms, runs: times.length, dispatches, stageMs: contender.stageMs?.() ?? null };
  }
  const { pipelines, bufferBytes, wasmBytes } = await counted();
  return {
    opened,
    answered,
    pipelines,
    bufferBytes,
    wasmBytes: wasmBytes + ((await contender.wasmBytes?.()) ?? 0),
    batches,
    answers,
    adapter: await adapter(),
    stopped,
  };
}

const sum = (times) => times.reduce((a, b) => a + b, 0);

function median(times) {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

/** What the browser says of its GPU. */
async function adapter() {
  const found = await navigator.gpu?.requestAdapter();
  const { vendor, architecture, device, description } = found?.info ?? {};
  return found ? [vendor, architecture, device, description].filter(Boolean).join(' ') : null;
}
