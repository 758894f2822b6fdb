// Analyzers with a GPU in a page: they are opened, asked, and their GPU is taken away.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';

import { EXAMPLES } from '../../../www/examples.js';
import { ROOT } from './demo.js';
import { TEXTS } from './posts.js';

/** Why tests of the GPU are left out, if they are. */
export const skip = !existsSync(`${ROOT}pkg/dist/gpu/engine_bg.wasm`) && 'left out: no program for the GPU in pkg/dist';

/** What is read on both. */
export const texts = TEXTS.slice(0, 6);

/**
 * Runs in the page, before anything else: the GPU's worker starts with a switch that destroys its devices, and tells how
 * large its wasm memory is.
 */
export function withSwitch() {
  const { Worker } = window;
  window.gpuWorkers = 0;
  window.Worker = class extends Worker {
    constructor(url, options) {
      if (!String(url).endsWith('gpu-worker.js')) return super(url, options);
      window.gpuWorkers++;
      const script = `const told = new BroadcastChannel('destroy');
        const { requestDevice } = GPUAdapter.prototype;
        GPUAdapter.prototype.requestDevice = async function (...given) {
          const device = await requestDevice.apply(this, given);
          told.onmessage = () => device.destroy();
          return device;
        };
        const { Instance } = WebAssembly;
        const asked = new BroadcastChannel('memory');
        WebAssembly.Instance = class extends Instance {
          constructor(...given) {
            super(...given);
            const { memory } = this.exports;
            asked.onmessage = () => asked.postMessage(memory.buffer.byteLength);
          }
        };
        await import(${JSON.stringify(String(url))});`;
      super(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })), options);
    }
  };
}

/** Opens an analyzer in `page`, waits for its GPU, and returns what it says of it. */
export const open = (page, options) =>
  page.evaluate(async (options) => {
    const { createAnalyzer } = await import('/pkg/dist/index.js');
    window.analyzer?.dispose();
    // A busy machine may be slow to start workers.
    window.analyzer = await createAnalyzer({ timeout: 300_000, ...options });
    await window.analyzer.warmup();
    const { device, gpu, why } = await window.analyzer.info();
    return { device, gpu, why: why.device };
  }, options);

/** Bytes of wasm memory: of the processor's engine, and of the GPU's. */
export const wasmMemory = (page) =>
  page.evaluate(async () => {
    const { memory } = await window.analyzer.info();
    const channel = new BroadcastChannel('memory');
    const answer = new Promise((resolve) => (channel.onmessage = ({ data }) => resolve(data)));
    channel.postMessage('');
    const gpu = await answer;
    channel.close();
    return { cpu: memory, gpu };
  });

/** Labels and scores of a batch; with `destroy`, the device goes after so many answers. */
export const readAll = (page, texts, destroy = -1) =>
  page.evaluate(
    async (texts, destroy) => {
      const answers = [];
      const channel = new BroadcastChannel('destroy');
      if (destroy === 0) channel.postMessage('');
      for await (const { analysis, error } of window.analyzer.analyzeBatch(texts.map((text) => ({ text })))) {
        answers.push(error ? error.code : { label: analysis.label, scores: analysis.scores });
        if (answers.length === destroy) channel.postMessage('');
      }
      channel.close();
      const { device, why } = await window.analyzer.info();
      return { answers, device, why: why.device };
    },
    texts,
    destroy,
  );

/** A text with its photo, read by the analyzer that is open and by one on the processor, which is open then. */
export async function readPair(page) {
  const [{ text, photo }] = EXAMPLES;
  const image = readFileSync(`${ROOT}www/photos/${photo}`).toString('base64');
  return page.evaluate(
    async (text, image) => {
      const blob = await (await fetch(`data:image/jpeg;base64,${image}`)).blob();
      const onGpu = await window.analyzer.analyze({ text, image: blob });
      const { device, why } = await window.analyzer.info();
      window.analyzer.dispose();
      const { createAnalyzer } = await import('/pkg/dist/index.js');
      window.analyzer = await createAnalyzer({ device: 'cpu' });
      return { onGpu, onCpu: await window.analyzer.analyze({ text, image: blob }), device, why: why.device };
    },
    text,
    image,
  );
}

/** Asserts that labels are the same, and scores nearly. Returns the largest difference of a score. */
export function near(answers, expected) {
  assert.equal(answers.length, expected.length);
  let most = 0;
  for (const [i, { label, scores }] of answers.entries()) {
    assert.equal(label, expected[i].label, `text ${i}`);
    for (const [name, score] of Object.entries(scores)) {
      const difference = Math.abs(score - expected[i].scores[name]);
      assert.ok(difference < 1e-3, `text ${i}: ${name} is ${score}, not ${expected[i].scores[name]}`);
      most = Math.max(most, difference);
    }
  }
  return most;
}
