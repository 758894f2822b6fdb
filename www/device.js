// Who computes, the processor or the GPU, and what that brings: measured here, on this very machine.

import { milliseconds } from './sentences.js';

const TEXTS = Array.from({ length: 32 }, (_, i) => `Bus number ${i + 10} was late again, ${i % 2 ? 'and I got wet' : 'but what a lovely morning'}.`);

const $ = (id) => document.getElementById(id);

/** Offers the choice where the browser has a GPU; `changing()` is called before another one reads, `changed()` when it does. */
export async function offerDevice(model, { changing = () => {}, changed = () => {} } = {}) {
  if (!(await hasGpu())) return;
  const host = $('device');
  const said = $('device-text');
  host.hidden = false;
  host.addEventListener('change', async () => {
    const device = host.querySelector('input:checked').value;
    const focused = host.contains(document.activeElement);
    host.disabled = true;
    changing();
    said.textContent = device === 'webgpu' ? 'Waking the GPU' : '';
    try {
      const before = await model.use(device, device === 'webgpu' ? timed : undefined);
      const { device: used, why } = await model.analyzer.info();
      // It is ready, and reads when that is forgotten.
      const waits = device === 'webgpu' && /learned/.test(why.device);
      if (used !== device && !waits) host.querySelector('input[value=cpu]').checked = true;
      if (waits) said.textContent = 'The GPU does not know what was learned: until that is forgotten, the processor reads.';
      else if (used === 'webgpu') said.textContent = compared(before, await timed(model.analyzer));
      else if (device === 'webgpu') said.textContent = `The processor goes on: ${why.device}.`;
      changed();
    } catch (error) {
      host.querySelector('input[value=cpu]').checked = true;
      said.textContent = `The processor goes on: ${error.message}.`;
    } finally {
      host.disabled = false;
      if (focused && document.activeElement === document.body) host.querySelector('input:checked').focus(); // what is disabled loses it
    }
  });
}

async function hasGpu() {
  try {
    return Boolean(await navigator.gpu?.requestAdapter());
  } catch {
    return false;
  }
}

/** Milliseconds of one short post, and of many. */
async function timed(analyzer) {
  await analyzer.analyze({ text: 'Good morning' }); // what the first one takes longer
  const began = performance.now();
  await analyzer.analyze({ text: TEXTS[0] });
  const one = performance.now() - began;
  for await (const _ of analyzer.analyzeBatch(TEXTS.map((text) => ({ text })))); // read, and not looked at
  return { one, many: performance.now() - began - one };
}

function compared(cpu, gpu) {
  const both = (kind) => `${milliseconds(gpu[kind])} instead of ${milliseconds(cpu[kind])}`;
  return `${TEXTS.length} short posts take ${both('many')}, one alone ${both('one')}.`;
}
