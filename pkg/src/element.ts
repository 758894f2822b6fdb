/** An `<img>`: what it shows at the call, or as soon as it shows anything. */

import { orAborted } from './abort.js';
import { MixedFeelingsError, shown } from './errors.js';
import { snapshot, type Bitmap, type Pixels } from './snapshot.js';

/** The size of what has none of its own, an SVG with a `viewBox` alone, in a browser that gives it none: that of CSS. */
const [DEFAULT_WIDTH, DEFAULT_HEIGHT] = [300, 150];

/** Takes hold of the picture in `image`, at once if it is there. */
export function takeElement(image: HTMLImageElement, signal: AbortSignal | undefined): Promise<Bitmap | Pixels> {
  // Not `decode()`: it may reject what can be drawn, and what is shown may be another picture by then.
  if (isThere(image)) return snapshot(image, image.naturalWidth, image.naturalHeight);
  return loaded(image, signal).then(() => {
    if (isThere(image)) return snapshot(image, image.naturalWidth, image.naturalHeight);
    const [width, height] = [image.width || DEFAULT_WIDTH, image.height || DEFAULT_HEIGHT];
    return snapshot(image, width, height);
  });
}

function isThere(image: HTMLImageElement): boolean {
  return image.complete && image.naturalWidth > 0 && image.naturalHeight > 0;
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
