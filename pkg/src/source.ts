/** The bytes of a picture's file: its first for a look, all of them when the look was good. */

import { bytesOfDataUrl } from './data-url.js';
import { Download, joined } from './download.js';
import { MixedFeelingsError, shown } from './errors.js';
import type { FileAt, Picture } from './image.js';
import { checkImageBytes, type TakenLimits } from './limits.js';
import type { Fetch } from './platform.js';

/** The first bytes that tell what a file is: as many as the decoder looks at. */
const HEAD = 64 << 10;

/** A file from wherever it comes. */
export interface Source {
  /** Its first bytes, a copy. */
  head(): Promise<Uint8Array<ArrayBuffer>>;
  /** All of them, to be given away. */
  all(): Promise<Uint8Array<ArrayBuffer>>;
  /** The same as a Blob. */
  blob(): Promise<Blob>;
  /** No more of it is wanted. */
  end(): void;
}

/** How to read it: `signal` ends what is on its way, `alive` is called whenever something comes. */
export interface Reading {
  readonly signal: AbortSignal;
  readonly alive: () => void;
  readonly fetch: Fetch;
  readonly limits: TakenLimits;
}

export async function openSource(picture: Exclude<Picture, { kind: 'shown' }>, reading: Reading): Promise<Source> {
  switch (picture.kind) {
    case 'file':
      return fileSource(picture.blob, reading);
    case 'bytes':
      return bytesSource(picture.bytes);
    case 'url':
      return picture.url.protocol === 'data:' ? bytesSource(bytesOfDataUrl(picture.url, reading.limits)) : urlSource(picture, reading);
  }
}

function fileSource(blob: Blob, { alive }: Reading): Source {
  const read = async (end: number) => {
    try {
      return new Uint8Array(await blob.slice(0, end).arrayBuffer());
    } catch (cause) {
      throw new MixedFeelingsError('image-fetch', `the image file cannot be read: ${shown(cause)}`, { cause });
    } finally {
      alive();
    }
  };
  return { head: () => read(HEAD), all: () => read(blob.size), blob: async () => blob, end() {} };
}

function bytesSource(bytes: Uint8Array<ArrayBuffer>): Source {
  return { head: async () => bytes.slice(0, HEAD), all: async () => bytes, blob: async () => new Blob([bytes]), end() {} };
}

async function urlSource({ url, init, patience = Infinity }: FileAt, reading: Reading): Promise<Source> {
  const { signal, alive, fetch, limits } = reading;
  const download = await Download.of(url, 'image-fetch', { fetch, init, signal, patience });
  const chunks: Uint8Array[] = [];
  let length = 0;
  const receive = async (most: number) => {
    while (length < most) {
      const chunk = await download.next();
      alive();
      if (!chunk) break;
      length += chunk.length;
      checkImageBytes(length, url.href, limits);
      chunks.push(chunk);
    }
    return joined(chunks);
  };
  try {
    checkImageBytes(download.total ?? 0, url.href, limits);
  } catch (error) {
    download.end();
    throw error;
  }
  const all = () => receive(Infinity);
  return {
    head: async () => (await receive(HEAD)).slice(0, HEAD),
    all,
    blob: async () => new Blob([await all()]),
    end: () => download.end(),
  };
}
