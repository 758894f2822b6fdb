// The package's worker, whose program a test can break: its memory is filled, so that the next call traps.

import { fill, memories } from './memories.mjs';
import '../../dist/worker.js';

const told = new BroadcastChannel('break');
told.unref();
told.onmessage = () => {
  fill(memories.at(-1));
  told.postMessage({ broken: true });
};
