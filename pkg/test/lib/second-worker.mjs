// A thread with an engine that stands for the one on a GPU: the real program on the processor. After `#hang` it never answers
// a pass, after `#broken` it does not open.

import { parentPort, workerData } from 'node:worker_threads';

import { openEngine } from '../../dist/modules/engine.js';
import { node } from '../../dist/modules/node.js';
import { serve } from '../../dist/modules/serve.js';

const port = {
  send: (message) => parentPort.postMessage(message),
  listen: (heard, lost) => {
    parentPort.on('message', heard);
    parentPort.on('messageerror', lost);
  },
};

async function open({ wasm: { webgpu }, ...options }, context) {
  if (workerData === 'broken') throw new Error('other integers');
  const engine = await openEngine({ ...options, wasm: { simd128: webgpu } }, context);
  if (workerData === 'hang') engine.analyzeMany = () => new Promise(() => {});
  if (workerData === 'refuse') engine.analyzeMany = async (posts) => posts.map(() => ({ code: 'odd', error: 'an odd device' }));
  return engine;
}
void serve(port, node.fetch, open);
