/** Bytes from the network: with progress, an abort signal, a checksum, and a cache that makes the next visit offline. */

import { CacheEntry, openCache } from './cache.js';
import { MixedFeelingsError, type ErrorCode } from './errors.js';

/** How to fetch. */
export interface FetchOptions {
  readonly signal?: AbortSignal | undefined;
  /** Whether to use Cache Storage. */
  readonly cache: boolean;
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

/** `url` seen from the page. */
export function absolute(url: string | URL): URL {
  const base = typeof document === 'object' ? document.baseURI : globalThis.location?.href;
  try {
    return new URL(url, base);
  } catch (cause) {
    throw new MixedFeelingsError('bad-input', `${JSON.stringify(String(url))} is not a URL`, { cause });
  }
}

/** The bytes at `url`, few enough to be joined here; see {@link fetchInto}. */
export async function fetchBytes(url: URL, code: ErrorCode, options: FetchOptions): Promise<Uint8Array<ArrayBuffer>> {
  let chunks: Uint8Array[] = [];
  const joined: Destination = { begin: () => void (chunks = []), append: (chunk) => void chunks.push(chunk) };
  await fetchInto(joined, url, code, options);
  const bytes = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0));
  let position = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, position);
    position += chunk.length;
  }
  return bytes;
}

/** The bytes at `url`: from the network, or else, when that fails, from the last time that it did not. */
export async function fetchInto(
  destination: Destination,
  url: URL,
  code: ErrorCode,
  { signal, cache }: FetchOptions,
  onBytes: OnBytes = () => {},
): Promise<void> {
  const store = cache ? await openCache() : undefined;
  let response: Response;
  try {
    response = await fetchOk(url, code, signal);
  } catch (error) {
    const stored = signal?.aborted ? undefined : await store?.match(url).catch(() => undefined);
    if (!stored) throw error;
    return receive(stored, { destination, url, code, signal, onBytes, cached: true });
  }
  return receive(response, { destination, url, code, signal, onBytes, cached: false, store });
}

/**
 * The bytes at `url`, which have this SHA-256. What has the right checksum cannot be out of date, so the cache is asked
 * first, and the network only when it does not have them.
 */
export async function fetchChecked(
  destination: CheckedDestination,
  sha256: string,
  url: URL,
  code: ErrorCode,
  { signal, cache }: FetchOptions,
  onBytes: OnBytes,
): Promise<void> {
  checkDigits(sha256);
  const store = cache ? await openCache() : undefined;
  const stored = await store?.match(url).catch(() => undefined);
  if (stored) {
    try {
      await receive(stored, { destination, url, code, signal, onBytes, cached: true });
      if (await hasSha256(destination, sha256)) return;
    } catch (error) {
      // What the cache cannot give is fetched; what else fails would fail again.
      if (!(error instanceof BrokenBody)) throw error;
    }
  }
  signal?.throwIfAborted();
  const response = await fetchOk(url, code, signal);
  const check = () => checkSha256(destination, sha256, url.href);
  await receive(response, { destination, url, code, signal, onBytes, cached: false, store, check });
}

/** @throws {MixedFeelingsError} `bundle-checksum` unless what came to `destination` has this SHA-256. */
export async function checkSha256(destination: CheckedDestination, sha256: string, what: string): Promise<void> {
  checkDigits(sha256);
  if (!(await hasSha256(destination, sha256))) {
    throw new MixedFeelingsError(
      'bundle-checksum',
      `${what} does not have the SHA-256 ${sha256}: damaged on the way, or another version`,
    );
  }
}

function checkDigits(sha256: string): void {
  if (/^[0-9a-f]{64}$/i.test(sha256)) return;
  throw new MixedFeelingsError('bundle-checksum', `${JSON.stringify(sha256)} is not a SHA-256 of 64 hexadecimal digits`);
}

async function hasSha256(destination: CheckedDestination, sha256: string): Promise<boolean> {
  if (!canCheck()) {
    throw new MixedFeelingsError('unsupported', 'a SHA-256 can be checked in a secure context only: serve the page by https');
  }
  const digest = new Uint8Array(await destination.sha256());
  const digits = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return digits === sha256.toLowerCase();
}

/** Whether this context can compute a SHA-256. */
export function canCheck(): boolean {
  return typeof crypto === 'object' && typeof crypto.subtle === 'object';
}

async function fetchOk(url: URL, code: ErrorCode, signal: AbortSignal | undefined): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { signal: signal ?? null });
  } catch (cause) {
    signal?.throwIfAborted();
    throw new MixedFeelingsError(code, `${url.href} cannot be fetched: ${String(cause)}`, { cause });
  }
  if (!response.ok) {
    throw new MixedFeelingsError(code, `${url.href} cannot be fetched: the server answers ${response.status}`);
  }
  return response;
}

/** A body that ends before its end. */
class BrokenBody extends MixedFeelingsError {}

/** What {@link receive} does with a body. */
interface Receiving {
  readonly destination: Destination;
  readonly url: URL;
  readonly code: ErrorCode;
  readonly signal: AbortSignal | undefined;
  readonly onBytes: OnBytes;
  /** Whether the body comes from the cache. */
  readonly cached: boolean;
  /** The cache that gets it too. */
  readonly store?: Cache | undefined;
  /** Rejects when it was not the right body. */
  readonly check?: (() => Promise<void>) | undefined;
}

/** Brings a body to its destination, chunk by chunk, and into the cache if all goes well. */
async function receive(response: Response, { store, check, ...receiving }: Receiving): Promise<void> {
  const total = lengthOf(response);
  receiving.onBytes(0, total, receiving.cached);
  await receiving.destination.begin(total);
  const entry = CacheEntry.open(store, receiving.url, total);
  try {
    await readBody(response, total, entry, receiving);
    await check?.();
  } catch (error) {
    await entry?.drop();
    throw error;
  }
  await entry?.keep();
}

async function readBody(
  response: Response,
  total: number | null,
  entry: CacheEntry | undefined,
  { destination, url, code, signal, onBytes, cached }: Receiving,
): Promise<void> {
  const reader = response.body?.getReader();
  let loaded = 0;
  try {
    for (;;) {
      const chunk = await reader?.read().catch((cause: unknown) => {
        signal?.throwIfAborted();
        throw new BrokenBody(code, `${url.href}: the connection broke: ${String(cause)}`, { cause });
      });
      signal?.throwIfAborted();
      if (!chunk || chunk.done) return;
      loaded += chunk.value.length;
      destination.append(chunk.value);
      onBytes(loaded, total !== null && loaded > total ? null : total, cached);
      await entry?.write(chunk.value);
    }
  } finally {
    // What is not read to its end need not be sent.
    reader?.cancel().catch(() => {});
  }
}

/** Bytes that will come, where that is known: the length of a compressed response says nothing about those that come out. */
function lengthOf({ headers }: Response): number | null {
  const length = headers.has('content-encoding') ? null : headers.get('content-length');
  return length === null ? null : Number(length) || null;
}
