/** Bytes from the network: with progress, an abort signal, a checksum, and a cache that makes the next visit offline. */

import { MixedFeelingsError, type ErrorCode } from './errors.js';

/** How to fetch. */
export interface FetchOptions {
  readonly signal?: AbortSignal | undefined;
  /** Whether to use Cache Storage. */
  readonly cache: boolean;
}

/** Bytes so far, bytes in all where that is known, whether they come from the cache. */
export type OnBytes = (loaded: number, total: number | null, cached: boolean) => void;

const CACHE = 'mixed-feelings';

/** `url` seen from the page. */
export function absolute(url: string | URL): URL {
  const base = typeof document === 'object' ? document.baseURI : globalThis.location?.href;
  try {
    return new URL(url, base);
  } catch (cause) {
    throw new MixedFeelingsError('bad-input', `${JSON.stringify(String(url))} is not a URL`, { cause });
  }
}

/** The bytes at `url`: from the network, or else, when that fails, from the last time that it did not. */
export async function fetchBytes(
  url: URL,
  code: ErrorCode,
  { signal, cache }: FetchOptions,
  onBytes: OnBytes = () => {},
): Promise<Uint8Array<ArrayBuffer>> {
  const store = cache ? await openCache() : undefined;
  let response: Response;
  try {
    response = await fetchOk(url, code, signal);
  } catch (error) {
    const stored = signal?.aborted ? undefined : await store?.match(url).catch(() => undefined);
    if (!stored) throw error;
    return readBody(stored, true, onBytes);
  }
  const bytes = await readBody(response, false, onBytes).catch((cause: unknown) => {
    signal?.throwIfAborted();
    throw new MixedFeelingsError(code, `${url.href}: the connection broke: ${String(cause)}`, { cause });
  });
  await keep(store, url, bytes);
  return bytes;
}

/**
 * The bytes at `url`, which have this SHA-256. What has the right checksum cannot be out of date, so the cache is asked
 * first, and the network only when it does not have them.
 */
export async function fetchChecked(
  url: URL,
  sha256: string,
  code: ErrorCode,
  { signal, cache }: FetchOptions,
  onBytes: OnBytes = () => {},
): Promise<Uint8Array<ArrayBuffer>> {
  const store = cache ? await openCache() : undefined;
  const stored = await store?.match(url).catch(() => undefined);
  if (stored) {
    const bytes = await readBody(stored, true, onBytes).catch(() => undefined);
    if (bytes && (await hasSha256(bytes, sha256))) return bytes;
  }
  signal?.throwIfAborted();
  const bytes = await fetchBytes(url, code, { signal, cache: false }, onBytes);
  await checkSha256(bytes, sha256, url.href);
  await keep(store, url, bytes);
  return bytes;
}

/** @throws {MixedFeelingsError} `bundle-checksum` unless `bytes` have this SHA-256. */
export async function checkSha256(bytes: Uint8Array<ArrayBuffer>, sha256: string, what: string): Promise<void> {
  if (!/^[0-9a-f]{64}$/i.test(sha256)) {
    throw new MixedFeelingsError('bundle-checksum', `${JSON.stringify(sha256)} is not a SHA-256 of 64 hexadecimal digits`);
  }
  if (!(await hasSha256(bytes, sha256))) {
    throw new MixedFeelingsError(
      'bundle-checksum',
      `${what}: ${bytes.length} bytes that do not have the SHA-256 ${sha256}: damaged on the way, or another version`,
    );
  }
}

async function hasSha256(bytes: Uint8Array<ArrayBuffer>, sha256: string): Promise<boolean> {
  if (!canCheck()) {
    throw new MixedFeelingsError('unsupported', 'a SHA-256 can be checked in a secure context only: serve the page by https');
  }
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
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

async function readBody(response: Response, cached: boolean, onBytes: OnBytes): Promise<Uint8Array<ArrayBuffer>> {
  // The length of a compressed response says nothing about the bytes that come out.
  const length = response.headers.has('content-encoding') ? null : response.headers.get('content-length');
  const total = length === null ? null : Number(length) || null;
  onBytes(0, total, cached);
  if (!response.body) {
    const bytes = new Uint8Array(await response.arrayBuffer());
    onBytes(bytes.length, bytes.length, cached);
    return bytes;
  }
  const chunks: Uint8Array[] = [];
  let loaded = 0;
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    loaded += value.length;
    onBytes(loaded, total !== null && loaded > total ? null : total, cached);
  }
  const bytes = new Uint8Array(loaded);
  let position = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, position);
    position += chunk.length;
  }
  return bytes;
}

/** A cache is a comfort: where there is none (private windows, plain http), everything works without. */
async function openCache(): Promise<Cache | undefined> {
  try {
    return typeof caches === 'object' ? await caches.open(CACHE) : undefined;
  } catch {
    return undefined;
  }
}

async function keep(store: Cache | undefined, url: URL, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  if (!store || !/^https?:$/.test(url.protocol)) return;
  const headers = { 'content-length': String(bytes.length), 'content-type': 'application/octet-stream' };
  // Quota exceeded: the next visit downloads again.
  await store.put(url, new Response(bytes, { headers })).catch(() => {});
}
