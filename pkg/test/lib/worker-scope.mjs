// The global scope of a web worker on a thread of Node's.

import { parentPort, workerData } from 'node:worker_threads';
import { installFileFetch } from './node.mjs';

installFileFetch();
globalThis.postMessage = (message) => parentPort.postMessage(message);
globalThis.addEventListener = (type, listener) => {
  if (type === 'message') parentPort.on('message', (data) => listener({ data }));
};
await import(workerData);
