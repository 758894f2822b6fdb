/** Node.js, Deno and Bun: files are read as files, and strings may be paths. */

import { open, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { resolve as absolutePath } from 'node:path';
import { pathToFileURL } from 'node:url';

import { MixedFeelingsError, shown } from './errors.js';
import { kindOf } from './kinds.js';
import type { Platform } from './platform.js';

/** Bytes that are read at a time. */
const CHUNK = 1 << 20;

export const node: Platform = {
  fetch: (url, init) => (url.startsWith('file:') ? readFile(new URL(url), init.signal) : fetch(url, init)),
  cores: availableParallelism,
  resolve(url) {
    try {
      // A scheme has two letters at least: one alone is a drive of Windows'.
      const isPath = kindOf(url) === 'String' && !/^[a-z][a-z0-9+.-]+:/i.test(url as string);
      return isPath ? pathToFileURL(absolutePath(url as string)) : new URL(url);
    } catch (cause) {
      throw new MixedFeelingsError('bad-input', `${JSON.stringify(shown(url))} is neither a URL nor a path`, { cause });
    }
  },
};

/** A file as an answer to `fetch`. It rejects as the file system does. */
async function readFile(url: URL, signal: AbortSignal): Promise<Response> {
  // Opening a pipe waits for its other end, in one of the few threads that all files share.
  if (!(await stat(url)).isFile()) throw new Error('it is not a file but a folder, a device or a pipe');
  const file = await open(url);
  const { size } = await file.stat();
  // Nobody would close it.
  if (signal.aborted) await file.close();
  signal.throwIfAborted();
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        const chunk = new Uint8Array(CHUNK);
        let bytesRead = 0;
        try {
          ({ bytesRead } = await file.read(chunk));
          if (bytesRead > 0) controller.enqueue(chunk.subarray(0, bytesRead));
          else controller.close();
        } finally {
          // It is at its end, or cannot be read.
          if (bytesRead === 0) await file.close();
        }
      },
      cancel: () => file.close(),
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: { 'content-length': String(size) } });
}
