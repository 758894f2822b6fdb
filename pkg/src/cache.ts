/** Cache Storage: what makes the next visit offline. What is in it is whole and right. */

import type { CacheLike } from './api.js';

const CACHE = 'mixed-feelings';
/** Bytes that may wait for the cache before the download waits for it too. */
const MOST_WAITING = 1 << 20;

/**
 * The cache that is given, or the browser's; none for `false`. A cache is a comfort: where there is none (private windows,
 * plain http), everything works without.
 */
export async function openCache(cache: boolean | CacheLike): Promise<CacheLike | undefined> {
  if (typeof cache === 'object') return cache;
  try {
    if (!cache) return undefined;
    return typeof caches === 'object' ? await caches.open(CACHE) : undefined;
  } catch {
    return undefined;
  }
}

/** Forgets all that is in the browser's. Returns whether there was anything. */
export async function clearCache(): Promise<boolean> {
  try {
    return typeof caches === 'object' && (await caches.delete(CACHE));
  } catch {
    return false;
  }
}

/** Asks the browser to keep what this site stores, where a page can ask that. */
export async function persist(): Promise<void> {
  try {
    await navigator.storage.persist();
  } catch {
    // It decides by itself what it keeps.
  }
}

/**
 * What is being downloaded, on its way into the cache beside the way that it takes anyway. The cache has all of it at the
 * end, but is told that this is the end only in {@link CacheEntry.keep}: until then, and after anything else, it has what
 * it had before.
 */
export class CacheEntry {
  #body!: ReadableStreamDefaultController<Uint8Array>;
  /** Whether the cache takes no more: it has all, or there was trouble with it. */
  #closed = false;
  #wake = () => {};
  /** Never rejects. Quota exceeded: the next visit downloads again. */
  readonly #stored: Promise<void>;

  private constructor(store: CacheLike, url: URL, length: number | null) {
    const stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => void (this.#body = controller),
        pull: () => this.#wake(),
        cancel: () => this.#close(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: MOST_WAITING }),
    );
    const headers = {
      'content-type': 'application/octet-stream',
      ...(length !== null && { 'content-length': String(length) }),
    };
    this.#stored = (async () => store.put(url.href, new Response(stream, { headers })))().then(
      () => this.#close(),
      () => this.#close(),
    );
  }

  /** An entry for `url`, unless it is of a kind that caches refuse. */
  static open(store: CacheLike | undefined, url: URL, length: number | null): CacheEntry | undefined {
    return store && /^https?:$/.test(url.protocol) ? new CacheEntry(store, url, length) : undefined;
  }

  /** Passes a chunk on, and waits while the cache is behind. */
  async write(chunk: Uint8Array): Promise<void> {
    if (this.#closed) return;
    this.#body.enqueue(chunk);
    while (!this.#closed && (this.#body.desiredSize ?? 0) <= 0) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** That was all, and it is right: from here on the cache has it. */
  async keep(): Promise<void> {
    if (!this.#closed) this.#body.close();
    await this.#stored;
  }

  /** It is not whole, or not right: the cache forgets what it has of it. */
  async drop(): Promise<void> {
    if (!this.#closed) this.#body.error(new Error('not kept'));
    await this.#stored;
  }

  #close(): void {
    this.#closed = true;
    this.#wake();
  }
}
