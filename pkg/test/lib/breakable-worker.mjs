// The package's worker, whose program a test can break: its memory is filled, so that the next call traps.

import '../../dist/worker.js';

const told = new BroadcastChannel('break');
told.unref();
told.onmessage = async ({ data }) => {
  const { initSync } = await import(`../../dist/${data.backend}/engine.js`);
  new Uint8Array(initSync().memory.buffer).fill(0xff);
  told.postMessage({ broken: true });
};
