/** What a worker cannot be sent, or cannot fetch for itself, is got in the page and sent when it is here. */

import type { Progress } from './api.js';
import { GIVEN, OneTime, loadBundle, type BundleSource } from './bundle.js';
import type { EngineOptions, SentOptions } from './engine.js';
import { receiveGiven, type CheckedDestination, type FetchOptions } from './fetch.js';
import type { Fetch, WasmName } from './platform.js';
import { compiled, knownBackends, type WasmSource } from './wasm.js';

/** How to get it. */
export interface GatherContext {
  readonly fetch: Fetch;
  /** Whether only the page can fetch and cache as the caller wants it. */
  readonly ownFetch: boolean;
  readonly onProgress: (progress: Progress) => void;
  readonly signal?: AbortSignal | undefined;
}

/** `options` for a worker. */
export async function gathered(options: EngineOptions, context: GatherContext): Promise<SentOptions> {
  const { bundle, wasm, cache, ...rest } = options;
  const getting = { fetch: context.fetch, cache, patience: rest.patience, signal: context.signal };
  const onBytes = (loaded: number, total: number | null, cached: boolean) =>
    context.onProgress({ stage: 'download', loaded, total, cached });
  if (!context.ownFetch) {
    const { from } = bundle;
    const sent = from instanceof OneTime ? await from.blob((body) => blobOf(body, getting, onBytes)) : from;
    return { ...rest, bundle: { ...bundle, from: sent }, wasm, cache: cache === true };
  }
  const [from, programs] = await Promise.all([blobOfBundle(bundle, getting, onBytes), compiledAll(wasm, getting)]);
  return { ...rest, bundle: { ...bundle, from }, wasm: programs, cache: false };
}

/** All that may be needed: which program passes its self-test, only the worker knows. */
async function compiledAll(wasm: EngineOptions['wasm'], getting: FetchOptions): Promise<SentOptions['wasm']> {
  const names: WasmName[] = [...knownBackends(), 'decoder', 'webgpu'];
  const given = names.filter((name) => wasm[name] !== undefined);
  const modules = given.map(async (name): Promise<[WasmName, WasmSource]> => [name, await compiled(name, wasm[name], getting)]);
  return Object.fromEntries(await Promise.all(modules));
}

type OnBytes = Parameters<typeof loadBundle>[3];

async function blobOf(body: Response, getting: FetchOptions, onBytes: OnBytes): Promise<Blob> {
  const parts = new Parts();
  await receiveGiven(parts, body, GIVEN, getting, onBytes);
  return parts.blob();
}

async function blobOfBundle({ from, sha256 }: BundleSource, getting: FetchOptions, onBytes: OnBytes): Promise<Blob> {
  if (from instanceof OneTime) return from.blob((body) => blobOf(body, getting, onBytes));
  if (typeof from !== 'string') return from;
  const parts = new Parts();
  await loadBundle({ from, ...(sha256 !== undefined && { sha256 }) }, parts, getting, onBytes);
  return parts.blob();
}

/** Where a bundle comes in in the page. */
class Parts implements CheckedDestination {
  #parts: Uint8Array<ArrayBuffer>[] = [];

  begin(): void {
    this.#parts = [];
  }

  append(chunk: Uint8Array): void {
    this.#parts.push(chunk.slice() as Uint8Array<ArrayBuffer>);
  }

  async sha256(): Promise<ArrayBuffer> {
    return crypto.subtle.digest('SHA-256', await this.blob().arrayBuffer());
  }

  blob(): Blob {
    return new Blob(this.#parts);
  }
}
