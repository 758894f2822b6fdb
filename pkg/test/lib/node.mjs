// What a browser has and Node 20 has not: `fetch` of the package's own files, and web workers.

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import * as threads from 'node:worker_threads';

export const dist = new URL('../../dist/', import.meta.url);

/** The bundle to test with: the shipped one, or the one that MIXED_FEELINGS_BUNDLE names. */
export const bundleFile = process.env.MIXED_FEELINGS_BUNDLE
  ?? fileURLToPath(new URL('../../mixed-feelings-small.safetensors', import.meta.url));

/** Why tests with the real program cannot run, or `false`. */
export const cannotRun = !existsSync(new URL('simd128/engine_bg.wasm', dist))
  ? 'skipped: needs pkg/dist, run `cargo pack`'
  : !existsSync(bundleFile) && `skipped: needs ${bundleFile}`;

export async function readBundle() {
  return new Uint8Array(await readFile(bundleFile));
}

/** Makes `fetch` read `file:` URLs. */
export function installFileFetch() {
  const network = globalThis.fetch;
  globalThis.fetch = async (url, init) => {
    if (new URL(url).protocol !== 'file:') return network(url, init);
    init?.signal?.throwIfAborted();
    return new Response(await readFile(new URL(url)));
  };
}

/**
 * A `Worker` on a thread of Node's, as far as the package uses it. `entry` may replace the script. Returns the threads, the
 * last one last: `terminate()` ends one behind the package's back.
 */
export function installWorker(entry = (url) => url) {
  const bootstrap = new URL('worker-scope.mjs', import.meta.url);
  const threadsSoFar = [];
  globalThis.Worker = class extends EventTarget {
    #thread;

    constructor(url) {
      super();
      this.#thread = new threads.Worker(bootstrap, { workerData: String(entry(url)) });
      threadsSoFar.push(this.#thread);
      this.#thread.on('exit', () => this.dispatchEvent(new Event('close')));
      this.#thread.on('message', (data) => this.dispatchEvent(new MessageEvent('message', { data })));
      this.#thread.on('error', (error) => {
        this.dispatchEvent(Object.assign(new Event('error'), { message: error.message }));
      });
    }

    postMessage(message, transfer) {
      this.#thread.postMessage(message, transfer);
    }

    terminate() {
      void this.#thread.terminate();
    }
  };
  return threadsSoFar;
}

export function uninstallWorker() {
  delete globalThis.Worker;
}

/** A server on loopback; `handle(request, response)`. Returns its URL and `close()`. */
export async function serve(handle) {
  const server = createServer(handle);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

/** An uncompressed picture file: a BMP of one colour. */
export function bmp(width, height, [red, green, blue]) {
  const row = Math.ceil((3 * width) / 4) * 4;
  const bytes = new Uint8Array(54 + row * height);
  const view = new DataView(bytes.buffer);
  bytes.set([0x42, 0x4d]);
  view.setUint32(2, bytes.length, true);
  view.setUint32(10, 54, true);
  view.setUint32(14, 40, true);
  view.setInt32(18, width, true);
  view.setInt32(22, height, true);
  view.setUint16(26, 1, true);
  view.setUint16(28, 24, true);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) bytes.set([blue, green, red], 54 + y * row + 3 * x);
  }
  return bytes;
}
