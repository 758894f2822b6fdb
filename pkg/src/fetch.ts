/** Bytes from the network: with progress, an abort signal, a checksum, and a cache that makes the next visit offline. */

import { throwIfAborted } from './abort.js';
import type { CacheLike } from './api.js';
import { CacheEntry, openCache } from './cache.js';
import { MixedFeelingsError, shown, type ErrorCode } from './errors.js';
import { alone } from './locks.js';
import { Download, UnusableBody, joined, type DownloadOptions, type WaitingOptions } from './download.js';

/** How to fetch. */
export interface FetchOptions extends DownloadOptions {
  /** Whether to use Cache Storage, or what to use in its place. */
  readonly cache: boolean | CacheLike;
}

/** Bytes so far, bytes in all where that is known, whether they come from the cache. */
export type OnBytes = (loaded: number, total: number | null, cached: boolean) => void;

/** Where bytes go as they arrive. */
export interface Destination {
  /** Bytes are coming, `length` of them where that is known. What came before was not right and is forgotten. */
  begin(length: number | null): void | Promise<void>;
  /** The next bytes; they stay the caller's. */
  append(chunk: Uint8Array): void;
}

/** A destination that can tell whether the right bytes came. */
export interface CheckedDestination extends Destination {
  /** The SHA-256 of what came. */
  sha256(): Promise<ArrayBuffer>;
}

/** The bytes at `url`, few enough to be joined here; see {@link fetchInto}. */
export async function fetchBytes(url: URL, code: ErrorCode, options: FetchOptions): Promise<Uint8Array<ArrayBuffer>> {
  let chunks: Uint8Array[] = [];
  const kept: Destination = { begin: () => void (chunks = []), append: (chunk) => void chunks.push(chunk) };
  await fetchInto(kept, url, code, options);
  return joined(chunks);
}

/**
 * The bytes at `url`: from the network, or else, when that fails, from the last time that it did not. Where somebody else
 * has just fetched them, theirs will do.
 */
export function fetchInto(
  destination: Destination,
  url: URL,
  code: ErrorCode,
  options: FetchOptions,
  onBytes: OnBytes = () => {},
): Promise<void> {
  const receiving: Receiving = { destination, url, code, onBytes, ...options };
  return oneAtATime(receiving, async (store, waited) => {
    if (waited && (await receiveStored(store, receiving))) return;
    let begun: Begun;
    try {
      begun = await begin(await Download.of(url, code, options), onBytes);
    } catch (error) {
      throwIfAborted(options.signal);
      if (await receiveStored(store, receiving)) return;
      throw error;
    }
    await receive(begun, receiving, store);
  });
}

/**
 * The bytes at `url`, which have this SHA-256. What has the right checksum cannot be out of date, so the cache is asked
 * first, and the network only when it does not have them.
 */
export function fetchChecked(
  destination: CheckedDestination,
  sha256: string,
  url: URL,
  code: ErrorCode,
  options: FetchOptions,
  onBytes: OnBytes,
): Promise<void> {
  const receiving: Receiving = { destination, url, code, onBytes, ...options };
  return oneAtATime(receiving, async (store) => {
    checkDigits(sha256);
    if ((await receiveStored(store, receiving)) && (await hasSha256(destination, sha256))) return;
    throwIfAborted(options.signal);
    const begun = await begin(await Download.of(url, code, options), onBytes);
    await receive(begun, receiving, store, () => checkSha256(destination, sha256, url.href));
  });
}

/** The bytes of a body that the caller has at hand. */
export async function receiveGiven(
  destination: Destination,
  response: Response,
  name: string,
  options: WaitingOptions,
  onBytes: OnBytes,
): Promise<void> {
  const begun = await begin(Download.given(response, name, 'bundle-fetch', options), onBytes);
  await receive(begun, { destination, onBytes });
}

/** What is received, and how. */
interface Receiving extends FetchOptions {
  readonly destination: Destination;
  readonly url: URL;
  readonly code: ErrorCode;
  readonly onBytes: OnBytes;
}

/** Has `fetch` done with the cache, if there is one: then by one thread of the site at a time, for the others to find it. */
async function oneAtATime(
  { url, cache, patience, signal }: Receiving,
  fetch: (store: CacheLike | undefined, waited: boolean) => Promise<void>,
): Promise<void> {
  const store = await openCache(cache);
  if (!store) return fetch(store, false);
  return alone(`mixed-feelings ${url.href}`, patience, signal, (waited) => fetch(store, waited));
}

/** Brings to its destination what the cache has. Returns whether it has all of it. */
async function receiveStored(store: CacheLike | undefined, receiving: Receiving): Promise<boolean> {
  const stored = await store?.match(receiving.url.href).catch(() => undefined);
  if (!stored) return false;
  try {
    const download = Download.stored(stored, receiving.url, receiving.code, receiving);
    await receive(await begin(download, receiving.onBytes), receiving);
    return true;
  } catch (error) {
    // What the cache cannot give is fetched; what else fails would fail again.
    if (error instanceof UnusableBody) return false;
    throw error;
  }
}

/** A download whose first bytes are here; none when it is empty. */
interface Begun {
  readonly download: Download;
  readonly first: Uint8Array | undefined;
}

/** Waits for the first bytes: they tell whether it is what was asked for, before anything is forgotten for it. */
async function begin(download: Download, onBytes: OnBytes): Promise<Begun> {
  try {
    onBytes(0, download.total, download.cached);
    return { download, first: await download.next() };
  } catch (error) {
    download.end();
    throw error;
  }
}

/** Brings a body to its destination, chunk by chunk, and into the cache `store` if all goes well. */
async function receive(
  { download, first }: Begun,
  { destination, url, onBytes }: Pick<Receiving, 'destination' | 'onBytes'> & { readonly url?: URL },
  store?: CacheLike,
  check?: () => Promise<void>,
): Promise<void> {
  const { total, cached } = download;
  let entry: CacheEntry | undefined;
  let loaded = 0;
  try {
    await destination.begin(total);
    entry = url && CacheEntry.open(store, url, total);
    for (let chunk = first; chunk; chunk = await download.next()) {
      loaded += chunk.length;
      destination.append(chunk);
      onBytes(loaded, total !== null && loaded > total ? null : total, cached);
      await entry?.write(chunk);
    }
    await check?.();
  } catch (error) {
    await entry?.drop();
    throw error;
  } finally {
    download.end();
  }
  await entry?.keep();
}

/** @throws {MixedFeelingsError} `bundle-checksum` unless what came to `destination` has this SHA-256. */
export async function checkSha256(destination: CheckedDestination, sha256: string, what: string): Promise<void> {
  checkDigits(sha256);
  if (!(await hasSha256(destination, sha256))) {
    throw new MixedFeelingsError(
      'bundle-checksum',
      `${shown(what)} does not have the SHA-256 ${sha256}: damaged on the way, or another version`,
    );
  }
}

function checkDigits(sha256: string): void {
  if (/^[0-9a-f]{64}$/i.test(sha256)) return;
  throw new MixedFeelingsError('bundle-checksum', `${JSON.stringify(shown(sha256))} is not a SHA-256 of 64 hexadecimal digits`);
}

async function hasSha256(destination: CheckedDestination, sha256: string): Promise<boolean> {
  if (!canCheck()) {
    throw new MixedFeelingsError('unsupported', 'a SHA-256 can be checked in a secure context only: serve the page by https');
  }
  return (await digitsOf(destination)) === sha256.toLowerCase();
}

/** The SHA-256 of what came to `destination`, in hexadecimal digits. */
export async function digitsOf(destination: CheckedDestination): Promise<string> {
  const digest = new Uint8Array(await destination.sha256());
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Whether this context can compute a SHA-256. */
export function canCheck(): boolean {
  return typeof crypto === 'object' && typeof crypto.subtle === 'object';
}
