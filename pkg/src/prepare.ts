/** From a picture that was taken hold of to the pixels that the encoder reads, beside the posts that are being read. */

import { after, onAbort, orAborted, throwIfAborted } from './abort.js';
import { isAlike, type Behind } from './behind.js';
import { decodeByBrowser } from './browser-decoder.js';
import { UndecodedError, type Decoded } from './decoder.js';
import type { ImageInput } from './engine.js';
import type { Engines } from './engines.js';
import { MixedFeelingsError, shown } from './errors.js';
import type { Picture, Shown } from './image.js';
import type { Bitmap, Pixels } from './snapshot.js';
import { openSource, type Reading } from './source.js';
import { Lease, Places } from './turns.js';
import type { Analysis } from './types.js';

/** Pictures whose bytes are on their way or here at a time: of hundreds, these are the ones that need memory. */
const PLACES = 4;
/**
 * Milliseconds without a byte after which a picture gives its place to the next one, and goes on without; one that can be
 * had otherwise is not waited for any longer.
 */
const STANDSTILL = 2000;

/** A picture ready for the encoder. */
export interface Prepared extends Decoded {
  readonly decodedBy: NonNullable<Analysis['decodedBy']>;
  /** Milliseconds that the decoder took. */
  readonly decode: number;
}

/** How a picture is prepared. */
export interface PrepareOptions {
  /** Milliseconds that it may take, once it has a place. */
  readonly timeout: number;
  readonly signal: AbortSignal;
  /** Whether the browser may decode what the package cannot. */
  readonly browserDecoder: boolean;
}

/** What prepares the pictures of one analyzer. */
export class Preparer {
  readonly #places = new Places(PLACES);
  /** The last file, which a page often sends again with another text. Only the last: hundreds add up. */
  #last = new WeakMap<Blob, Prepared>();

  constructor(
    private readonly engines: Engines,
    private readonly reading: Pick<Reading, 'fetch' | 'limits'>,
  ) {}

  async prepare(picture: Picture, options: PrepareOptions): Promise<Prepared> {
    if (picture.kind === 'shown') return this.#prepareShown(picture, options);
    const file = picture.kind === 'file' ? picture.blob : undefined;
    const last = file && this.#last.get(file);
    if (last) return { ...last, decode: 0 };
    const prepared = await this.#prepareFile(picture, options);
    if (file) this.#last = new WeakMap([[file, prepared]]);
    return prepared;
  }

  /** What is shown was taken hold of at the call, or comes when it is loaded: that needs no place. */
  async #prepareShown(picture: Shown, options: PrepareOptions): Promise<Prepared> {
    const what = `the image${picture.hint ? ` (${picture.hint})` : ''}`;
    try {
      const held = await within(options, what, (signal) => orAborted(picture.held, signal));
      const file = held.behind && (await this.#prepareBehind(held.behind, options));
      if (file) return file;
      const lease = await Lease.of(this.#places, Infinity, options.signal);
      try {
        return await within(options, 'the image', async (signal) => {
          const image = await orAborted(held.read(), signal);
          return this.#decode(image, picture.plain && image.kind === 'rgba' ? 'package' : 'browser', options.timeout, signal);
        });
      } finally {
        lease.end();
      }
    } finally {
      picture.held.then((held) => held.drop(), () => {});
    }
  }

  /** The file behind an element; nothing where there is none to be had, or it is not what the element shows. */
  async #prepareBehind({ url, init, look, failed }: Behind, options: PrepareOptions): Promise<Prepared | undefined> {
    try {
      // Half of the time, so that there is some to draw it.
      const hurried = { ...options, timeout: options.timeout / 2, browserDecoder: false };
      const prepared = await this.#prepareFile({ kind: 'url', url, init, patience: STANDSTILL }, hurried);
      if (!look) return prepared;
      const shown = await orAborted(look(), options.signal);
      if (shown && isAlike(prepared, await this.#decode(shown, 'browser', options.timeout, options.signal))) return prepared;
    } catch {
      throwIfAborted(options.signal);
    }
    failed();
    return undefined;
  }

  async #prepareFile(picture: Exclude<Picture, Shown>, options: PrepareOptions): Promise<Prepared> {
    // The browser has room for hundreds of files, JavaScript's heap has not.
    if (picture.kind === 'bytes' && this.#places.full) picture = { kind: 'file', blob: new Blob([picture.bytes]) };
    const lease = await Lease.of(this.#places, STANDSTILL, options.signal);
    const what = picture.kind === 'url' ? shown(picture.url.href) : 'the image';
    try {
      return await within(options, what, async (signal) => {
        const source = await lease.during(openSource(picture, { ...this.reading, signal, alive: () => lease.alive() }));
        try {
          const head = await lease.during(source.head());
          try {
            await this.engines.runAnywhere((engine) => engine.inspect(head), { picture: true, signal });
          } catch (error) {
            const image = options.browserDecoder && (await byBrowser(error, source.blob, this.reading.limits, signal));
            if (!image) throw error;
            return await this.#decode(image, 'browser', options.timeout, signal);
          }
          const file: ImageInput = { kind: 'encoded', bytes: await lease.during(source.all()) };
          return await this.#decode(file, 'package', options.timeout, signal);
        } finally {
          source.end();
        }
      });
    } finally {
      lease.end();
    }
  }

  async #decode(
    image: ImageInput,
    decodedBy: Prepared['decodedBy'],
    patience: number,
    signal: AbortSignal,
  ): Promise<Prepared> {
    const decoded = await this.engines.runAnywhere((engine) => engine.decode(image, patience), { picture: true, signal });
    return { ...decoded, decodedBy };
  }
}

/** The picture, if its format is one that another decoder may know, and the browser's does. */
async function byBrowser(
  error: unknown,
  blob: () => Promise<Blob>,
  limits: Reading['limits'],
  signal: AbortSignal,
): Promise<Bitmap | Pixels | undefined> {
  if (!(error instanceof UndecodedError) || error.code !== 'image-unsupported' || error.format === null) return undefined;
  return decodeByBrowser(await blob(), { format: error.format, limits, signal });
}

/** What `work` comes to if the time is enough; its signal aborts when it is not, or when the caller's does. */
async function within<T>(
  { timeout, signal }: PrepareOptions,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const ending = new AbortController();
  const late = () => {
    ending.abort(new MixedFeelingsError('image-timeout', `${what} was not ready within ${timeout} ms`));
  };
  const stops = [after(timeout, late), onAbort(signal, () => ending.abort(signal.reason))];
  try {
    return await orAborted(work(ending.signal), ending.signal);
  } finally {
    stops.forEach((stop) => stop());
    // Whatever is still on its way.
    ending.abort();
  }
}
