/** The weights: where they are, and whether they arrived whole. */

import {
  absolute,
  canCheck,
  checkSha256,
  fetchBytes,
  fetchChecked,
  fetchInto,
  type CheckedDestination,
  type FetchOptions,
  type OnBytes,
} from './fetch.js';

/** A bundle as {@link loadBundle} takes it; survives a message to a worker. */
export interface BundleSource {
  /** An absolute URL, or the bytes themselves. */
  readonly from: string | Uint8Array<ArrayBuffer>;
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
export function bundleSource(
  bundle: string | URL | ArrayBuffer | Uint8Array | undefined,
  digits: string | undefined,
): BundleSource {
  const sha256 = digits === undefined ? undefined : { digits };
  if (bundle === undefined) return sha256 ? { ...defaultBundle(), sha256 } : defaultBundle();
  const from = bundle instanceof ArrayBuffer ? new Uint8Array(bundle.slice(0)) : bundle;
  if (from instanceof Uint8Array) return { from: Uint8Array.from(from), ...(sha256 && { sha256 }) };
  return { from: absolute(from).href, ...(sha256 && { sha256 }) };
}

/** Brings the bundle to its destination, checked where there is something to check against. */
export async function loadBundle(
  { from, sha256 }: BundleSource,
  destination: CheckedDestination,
  options: FetchOptions,
  onBytes: OnBytes,
): Promise<void> {
  if (from instanceof Uint8Array) {
    await destination.begin(from.length);
    destination.append(from);
    if (sha256 && 'digits' in sha256) await checkSha256(destination, sha256.digits, `the bundle of ${from.length} bytes`);
    onBytes(from.length, from.length, false);
    return;
  }
  const digits = sha256 && ('digits' in sha256 ? sha256.digits : await publishedSha256(sha256.url, options));
  const url = new URL(from);
  if (digits === undefined) await fetchInto(destination, url, 'bundle-fetch', options, onBytes);
  else await fetchChecked(destination, digits, url, 'bundle-fetch', options, onBytes);
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
    options.signal?.throwIfAborted();
    return undefined;
  }
}
