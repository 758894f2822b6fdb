/** Starts the package's script in a thread of Node.js, Deno or Bun. */

import { Worker } from 'node:worker_threads';

export function startNodeWorker(): Worker {
  // Flags of the caller are not the thread's: with `node --input-type=module` a thread could not be started from a file.
  return new Worker(new URL('./worker-node.js', import.meta.url), { name: 'mixed-feelings', execArgv: [] });
}
