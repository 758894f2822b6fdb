/** Starts the package's script in a thread of Node.js, Deno or Bun. */

import { Worker } from 'node:worker_threads';

export function startNodeWorker(): Worker {
  return new Worker(new URL('./worker-node.js', import.meta.url), { name: 'mixed-feelings' });
}
