// Long use: many posts, the memory on the way, and how long the page stands still meanwhile.

import { createAnalyzer, heapBytes, pictureOf, textOf, wasmBytes } from './package.js';

/** A frame takes 16 ms; what holds the page for half of it can be felt. */
const LONG_MS = 8;

const SPIN_MS = 40_000;

export async function soak({ analyses }) {
  // With a worker that only keeps a processor busy first: what the machine itself does to a page beside one.
  const spinning = await haltsDuring(spin);
  const analyzer = await createAnalyzer();
  const memory = [];
  const note = async (done) => memory.push({ analyses: done, wasmBytes: await wasmBytes(analyzer), heapBytes: heapBytes() });
  const texts = Array.from({ length: 7 }, (_, i) => textOf(i));
  const pictures = Array.from({ length: 5 }, (_, i) => pictureOf(i));
  const one = (i) => analyzer.analyze({ text: texts[i % 7], image: pictures[i % 5] });
  await one(0);
  await note(1);
  const began = performance.now();
  const busy = { longest: 0, over: 0, ticks: 0, longTasks: 0, longestTask: 0 };
  let done = 1;
  // In two parts, because collecting the garbage to look at the heap in between holds the page.
  for (const end of [Math.min(1000, analyses), analyses]) {
    if (end <= done) continue;
    const part = await haltsDuring(async () => {
      while (done < end) {
        await one(done++);
        if (done % 500 === 0) {
          console.log(`${done} of ${analyses} analyses, ${((performance.now() - began) / done).toFixed(1)} ms each`);
        }
      }
    });
    for (const key of ['over', 'ticks', 'longTasks']) busy[key] += part[key];
    for (const key of ['longest', 'longestTask']) busy[key] = Math.max(busy[key], part[key]);
    await note(done);
  }
  const ms = (performance.now() - began) / (analyses - 1);
  analyzer.dispose();
  return { analyses, msEach: ms, backend: analyzer.backend, memory, halts: { spinning, busy } };
}

/** A worker that does nothing, as fast as it can, in turns as long as an analysis. */
async function spin() {
  const turns = 'onmessage = () => { for (const t = performance.now(); performance.now() - t < 25; ); postMessage(0); };';
  const script = URL.createObjectURL(new Blob([turns], { type: 'text/javascript' }));
  const worker = new Worker(script);
  worker.onmessage = () => worker.postMessage(0);
  worker.postMessage(0);
  await new Promise((resolve) => setTimeout(resolve, SPIN_MS));
  worker.terminate();
  URL.revokeObjectURL(script);
}

/** How long the page could not have answered a click while `work` ran: gaps between ticks, and the browser's own count. */
async function haltsDuring(work) {
  const gaps = { longest: 0, over: 0, ticks: 0, longTasks: 0, longestTask: 0 };
  const observer =
    typeof PerformanceObserver === 'function' && PerformanceObserver.supportedEntryTypes?.includes('longtask')
      ? new PerformanceObserver((list) => {
          for (const { duration } of list.getEntries()) {
            gaps.longTasks++;
            gaps.longestTask = Math.max(gaps.longestTask, duration);
          }
        })
      : undefined;
  observer?.observe({ entryTypes: ['longtask'] });
  let last = performance.now();
  // Browsers hold nested timers back to 4 ms: what comes later than that is a halt.
  const timer = setInterval(() => {
    const now = performance.now();
    const gap = Math.max(0, now - last - 4);
    gaps.ticks++;
    gaps.longest = Math.max(gaps.longest, gap);
    if (gap > LONG_MS) gaps.over++;
    last = now;
  }, 4);
  await work();
  clearInterval(timer);
  observer?.disconnect();
  return gaps;
}
