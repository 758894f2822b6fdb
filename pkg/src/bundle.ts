/** The weights: where they are, and whether they arrived whole. */

import { throwIfAborted } from './abort.js';
import { MixedFeelingsError } from './errors.js';
import {
  canCheck,
  checkSha256,
  fetchBytes,
  fetchChecked,
  fetchInto,
  type CheckedDestination,
  type FetchOptions,
  type OnBytes,
} from './fetch.js';
import { kindOf, viewOf } from './kinds.js';
import { absolute } from './url.js';

/** A bundle as {@link loadBundle} takes it; survives a message to a worker, as often as one must be opened. */
export interface BundleSource {
  /** An absolute URL, or the bytes themselves. */
  readonly from: string | Blob;
  /** Its SHA-256 in hexadecimal digits, or the absolute URL of a file that begins with them. */
  readonly sha256?: { readonly digits: string } | { readonly url: string };
}

/** The bundle that comes with the package. */
function defaultBundle(): BundleSource {
  const from = new URL('../mixed-feelings-small.safetensors', import.meta.url).href;
  const sha256 = new URL('../mixed-feelings-small.safetensors.sha256', import.meta.url).href;
  return { from, sha256: { url: sha256 } };
}

/** From the options of `createAnalyzer`. Bytes are copied: the caller's stay the caller's. */
export function bundleSource(bundle: unknown, digits: string | null | undefined): BundleSource {
  if (digits != null && typeof digits !== 'string') {
    throw new MixedFeelingsError('bad-input', `sha256 is ${kindOf(digits)}: give its 64 hexadecimal digits`);
  }
  const sha256 = digits == null ? undefined : { digits };
  if (bundle == null) return sha256 ? { ...defaultBundle(), sha256 } : defaultBundle();
  return { from: bundleFrom(bundle), ...(sha256 && { sha256 }) };
}

function bundleFrom(bundle: unknown): string | Blob {
  const kind = kindOf(bundle);
  if (kind === 'String' || kind === 'URL') return absolute(bundle as string | URL).href;
  if (kind === 'ArrayBuffer' || kind === 'Uint8Array') {
    // The browser keeps what is in a Blob, and the program reads it from there: no copy lies in a heap of JavaScript's.
    const view = viewOf(bundle as ArrayBuffer | Uint8Array, 'bundle');
    return new Blob([kindOf(view.buffer) === 'ArrayBuffer' ? (view as Uint8Array<ArrayBuffer>) : view.slice()]);
  }
  throw new MixedFeelingsError('bad-input', `bundle is ${kind}: give a URL, an ArrayBuffer or a Uint8Array`);
}

/** Brings the bundle to its destination, checked where there is something to check against. */
export async function loadBundle(
  { from, sha256 }: BundleSource,
  destination: CheckedDestination,
  options: FetchOptions,
  onBytes: OnBytes,
): Promise<void> {
  if (typeof from !== 'string') {
    await readBlob(from, destination);
    if (sha256 && 'digits' in sha256) await checkSha256(destination, sha256.digits, `the bundle of ${from.size} bytes`);
    onBytes(from.size, from.size, false);
    return;
  }
  const digits = sha256 && ('digits' in sha256 ? sha256.digits : await publishedSha256(sha256.url, options));
  const url = new URL(from);
  if (digits === undefined) await fetchInto(destination, url, 'bundle-fetch', options, onBytes);
  else await fetchChecked(destination, digits, url, 'bundle-fetch', options, onBytes);
}

async function readBlob(blob: Blob, destination: CheckedDestination): Promise<void> {
  await destination.begin(blob.size);
  const reader = blob.stream().getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) destination.append(read.value);
}

/**
 * The first word of a `.sha256` file, as `sha256sum` writes it. Where there is none, or none can be checked (plain
 * http), the bundle goes without: its reader refuses what is damaged, a checksum only says so earlier.
 */
async function publishedSha256(url: string, options: FetchOptions): Promise<string | undefined> {
  if (!canCheck()) return undefined;
  try {
    const text = new TextDecoder().decode(await fetchBytes(new URL(url), 'bundle-fetch', options));
    return text.trim().split(/\s/, 1)[0] ?? '';
  } catch {
    throwIfAborted(options.signal);
    return undefined;
  }
}
