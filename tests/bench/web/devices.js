// What needs a browser with WebGPU: contenders on the GPU, and what looking for one costs the first answer.

import { residentBytes } from '../../browser/lib/memory.js';

/** Milliseconds after which nobody waits for a contender any more. */
const PATIENCE = 420_000;

/** Each contender in a fresh browser: what is compiled and kept for one is none of the other's. Fills `results`. */
export async function measureContenders({ contenders, ...job }, results, { withBrowser, call, save }) {
  for (const [number, { id, ...contender }] of contenders.entries()) {
    console.error(`[webgpu ${number + 1}/${contenders.length}] ${id}`);
    try {
      const measured = await withBrowser({ gpu: true }, async (browser) => {
        const tab = await browser.newPage();
        const told = await inTime(call(tab, 'webgpu.html', 'webgpu', { ...job, ...contender }));
        const bytes = { pageBytes: residentBytes('renderer'), processBytes: residentBytes('gpu-process') };
        await tab.close();
        if (contender.who === 'ours' || contender.device !== 'webgpu') return { ...told, ...bytes };
        // In a page of its own, because all that it says would be part of the time.
        const nodes = await inTime(call(await browser.newPage(), 'webgpu.html', 'placed', contender));
        return { ...told, ...bytes, nodes };
      });
      results.push({ id, measured });
    } catch (error) {
      console.error(`  failed: ${error.message}`);
      results.push({ id, failure: error.message.slice(0, 300) });
    }
    await save();
  }
}

async function inTime(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it was not done after ${PATIENCE / 1000} s`)), PATIENCE);
  });
  promise.catch(() => {}); // it fails when its browser is closed
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/**
 * Fresh pages in turns with the processor alone and with `auto`, in a browser without a GPU and in one with it. The first
 * pages fill the cache and do not count. Fills `starts`.
 */
export async function measureStarts({ pages, ...post }, starts, { withBrowser, call, save }) {
  for (const gpu of [false, true]) {
    const visits = { cpu: [], auto: [] };
    await withBrowser({ gpu }, async (browser) => {
      for (let number = 0; number <= pages; number++) {
        console.error(`[starts] ${gpu ? 'with' : 'without'} a GPU, page ${number} of ${pages}`);
        // Each goes first as often as the other.
        for (const device of number % 2 ? ['cpu', 'auto'] : ['auto', 'cpu']) {
          const tab = await browser.newPage();
          const visit = await call(tab, 'facade.html', 'firstAnswer', { ...post, device });
          if (number > 0) visits[device].push(visit);
          await tab.close();
        }
      }
    });
    starts.push({ gpu, ...visits });
    await save();
  }
}
