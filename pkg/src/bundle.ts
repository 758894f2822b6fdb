/** The weights: where they are, and whether they arrived whole. */

import type { CacheLike } from './api.js';
import { openCache } from './cache.js';
import { MixedFeelingsError } from './errors.js';
import {
  canCheck,
  checkSha256,
  digitsOf,
  fetchChecked,
  fetchInto,
  receiveGiven,
  type CheckedDestination,
  type FetchOptions,
  type OnBytes,
} from './fetch.js';
import { kindOf, viewOf } from './kinds.js';
import type { Platform } from './platform.js';
import { BUNDLE_SHA256 } from './release.js';

/** A bundle as {@link loadBundle} takes it. */
export interface BundleSource {
  /** An absolute URL, the bytes themselves, or a body that can be read once. */
  readonly from: string | Blob | OneTime;
  /** Its SHA-256 in hexadecimal digits. */
  readonly sha256?: string;
}

/** One that survives a message to a worker, as often as one must be opened. */
export interface SentBundle extends BundleSource {
  readonly from: string | Blob;
}

/** A body that can be read once: as it comes, or into a Blob, which stays. */
export class OneTime {
  #body: Response | undefined;
  #blob: Promise<Blob> | undefined;

  constructor(body: Response) {
    this.#body = body;
  }

  /** @throws {MixedFeelingsError} `bundle-fetch` when it was read before. */
  take(): Response {
    const body = this.#body;
    this.#body = undefined;
    if (body) return body;
    throw new MixedFeelingsError('bundle-fetch', 'the bundle was given as a stream, which is used up: create another analyzer');
  }

  /** `read` is done once. */
  blob(read: (body: Response) => Promise<Blob>): Promise<Blob> {
    return (this.#blob ??= read(this.take()));
  }
}

/** From the options of `createAnalyzer`. Bytes are copied: the caller's stay the caller's. */
export function bundleSource(bundle: unknown, digits: unknown, platform: Platform): BundleSource {
  if (digits != null && typeof digits !== 'string') {
    throw new MixedFeelingsError('bad-input', `sha256 is ${kindOf(digits)}: give its 64 hexadecimal digits`);
  }
  if (bundle != null) return { from: bundleFrom(bundle, platform), ...(digits != null && { sha256: digits }) };
  if (!platform.assets) {
    throw new MixedFeelingsError('bad-input', 'no bundle is given, and none comes along here: give its URL or its bytes as bundle');
  }
  const from = platform.resolve(String(platform.assets.bundle())).href;
  // Without a secure context (plain http) nothing can be checked: the reader of bundles refuses what is damaged anyway.
  const known = digits ?? (canCheck() ? BUNDLE_SHA256 : undefined);
  return { from, ...(known !== undefined && { sha256: known }) };
}

function bundleFrom(bundle: unknown, platform: Platform): BundleSource['from'] {
  const kind = kindOf(bundle);
  switch (kind) {
    case 'String':
    case 'URL':
      return platform.resolve(bundle as string | URL).href;
    case 'Blob':
    case 'File':
      return bundle as Blob;
    case 'ArrayBuffer':
    case 'Uint8Array': {
      // The browser keeps what is in a Blob, and the program reads it from there: no copy lies in a heap of JavaScript's.
      const view = viewOf(bundle as ArrayBuffer | Uint8Array, 'bundle');
      return new Blob([kindOf(view.buffer) === 'ArrayBuffer' ? (view as Uint8Array<ArrayBuffer>) : view.slice()]);
    }
    case 'Response':
    case 'ReadableStream': {
      const used = kind === 'Response' ? (bundle as Response).bodyUsed : (bundle as ReadableStream).locked;
      if (used) throw new MixedFeelingsError('bad-input', `the bundle is a ${kind} that was read already`);
      return new OneTime(kind === 'Response' ? (bundle as Response) : new Response(bundle as ReadableStream));
    }
  }
  throw new MixedFeelingsError(
    'bad-input',
    `bundle is ${kind}: give a URL, an ArrayBuffer, a Uint8Array, a Blob, a Response or a ReadableStream`,
  );
}

/** Whether it can be had once more without the network. */
export async function isAtHand({ from }: BundleSource, cache: boolean | CacheLike): Promise<boolean> {
  if (typeof from !== 'string') return from instanceof Blob;
  if (from.startsWith('file:')) return true;
  try {
    return (await (await openCache(cache))?.match(from)) !== undefined;
  } catch {
    return false;
  }
}

/** What messages call a bundle that has no URL. */
export const GIVEN = 'the bundle that is given';

/**
 * Brings the bundle to its destination, checked where there is something to check against. Returns its SHA-256, where one
 * can be computed.
 */
export async function loadBundle(
  { from, sha256 }: BundleSource,
  destination: CheckedDestination,
  options: FetchOptions,
  onBytes: OnBytes,
): Promise<string | null> {
  if (typeof from === 'string') {
    const url = new URL(from);
    if (sha256 === undefined) await fetchInto(destination, url, 'bundle-fetch', options, onBytes);
    else await fetchChecked(destination, sha256, url, 'bundle-fetch', options, onBytes);
  } else {
    if (from instanceof OneTime) await receiveGiven(destination, from.take(), GIVEN, options, onBytes);
    else await readBlob(from, destination, onBytes);
    if (sha256 !== undefined) await checkSha256(destination, sha256, GIVEN);
  }
  return sha256?.toLowerCase() ?? (canCheck() ? digitsOf(destination) : null);
}

async function readBlob(blob: Blob, destination: CheckedDestination, onBytes: OnBytes): Promise<void> {
  await destination.begin(blob.size);
  const reader = blob.stream().getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) destination.append(read.value);
  onBytes(blob.size, blob.size, false);
}
