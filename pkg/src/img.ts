/** An `<img>`: what it shows at the call, or as soon as it shows anything. */

import { orAborted } from './abort.js';
import { MixedFeelingsError, shown } from './errors.js';
import { fileBehind } from './behind.js';
import { copied, fits, later, type Held } from './held.js';
import { bytesOf, glance, snapshot } from './snapshot.js';

/** The size of what has none of its own, an SVG with a `viewBox` alone, in a browser that gives it none: that of CSS. */
const [DEFAULT_WIDTH, DEFAULT_HEIGHT] = [300, 150];

/** Takes hold of the picture in `image`, at once if it is there. */
export async function takeElement(image: HTMLImageElement, signal: AbortSignal | undefined): Promise<Held> {
  // Not `decode()`: it may reject what can be drawn, and what is shown may be another picture by then.
  while (!isThere(image)) {
    await loaded(image, signal);
    // Who heard of it before may have changed it again.
    if (image.complete) break;
  }
  if (isThere(image)) return hold(image, image.naturalWidth, image.naturalHeight);
  return hold(image, image.width || DEFAULT_WIDTH, image.height || DEFAULT_HEIGHT);
}

function isThere(image: HTMLImageElement): boolean {
  return image.complete && image.naturalWidth > 0 && image.naturalHeight > 0;
}

/** Hundreds of photos have no room as pixels, so they stay with the browser, which has their files. */
function hold(image: HTMLImageElement, width: number, height: number): Held {
  const { currentSrc } = image;
  const listening = new AbortController();
  // Whatever is loaded from now on, even by the same name, is another picture.
  image.addEventListener('load', () => listening.abort(), { signal: listening.signal, once: true });
  const isUnchanged = () => !listening.signal.aborted && image.currentSrc === currentSrc && isThere(image);
  const twin = twinOf(image);
  const take = (from: HTMLImageElement) => snapshot(from, width, height);
  const bytes = bytesOf(width, height);
  const held = twin
    ? later(() => take(isUnchanged() ? image : twin))
    : fits(bytes)
      ? copied(bytes, () => take(image))
      : later(async () => {
          if (isUnchanged()) return take(image);
          throw new MixedFeelingsError('image-memory', 'the <img> was changed while too many waited: wait for each call');
        });
  const look = async () => {
    const shown = isUnchanged() ? image : (twin ?? (await held.read()));
    if (!('kind' in shown)) return glance(shown, width, height);
    return shown.kind === 'bitmap' ? glance(shown.bitmap, width, height) : undefined;
  };
  return {
    read: held.read,
    behind: isThere(image) ? fileBehind(image, look) : undefined,
    drop() {
      held.drop();
      listening.abort();
    },
  };
}

/** An element of our own with the same picture, if the browser has it at hand: it costs no request and no pixels. */
function twinOf(image: HTMLImageElement): HTMLImageElement | undefined {
  const twin = image.ownerDocument.createElement('img');
  twin.crossOrigin = image.crossOrigin;
  twin.referrerPolicy = image.referrerPolicy;
  twin.src = image.currentSrc;
  // Its size may be another, where the page says how dense the pixels are; its shape is the same.
  const difference = image.naturalWidth / image.naturalHeight - twin.naturalWidth / twin.naturalHeight;
  if (isThere(twin) && Math.abs(difference) < 0.01) return twin;
  twin.removeAttribute('src');
  return undefined;
}

async function loaded(image: HTMLImageElement, signal: AbortSignal | undefined): Promise<void> {
  const listening = new AbortController();
  const on = { signal: listening.signal };
  try {
    // Complete and without a size: there is nothing, or nothing that has a size.
    if (image.complete) return await orAborted(image.decode(), signal);
    const settled = new Promise<void>((resolve, reject) => {
      image.addEventListener('load', () => resolve(), on);
      image.addEventListener('error', reject, on);
    });
    await orAborted(settled, signal);
  } catch (cause) {
    if (signal?.aborted) throw cause;
    const source = image.currentSrc || image.src;
    throw new MixedFeelingsError('image-fetch', `the <img> has no image: ${source ? shown(source) : 'it has no src'}`, {
      cause: cause instanceof Error ? cause : undefined,
      retriable: source !== '',
    });
  } finally {
    listening.abort();
  }
}
