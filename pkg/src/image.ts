/** Whatever a page has a picture in, taken hold of at the call; what costs time or memory is for {@link Preparer}. */

import type { FetchInit } from './api.js';
import { takeElement } from './img.js';
import { MixedFeelingsError } from './errors.js';
import { copied, type Held } from './held.js';
import { isBytes, kindOf, viewOf } from './kinds.js';
import { checkImageBytes, checkSides, type TakenLimits } from './limits.js';
import { takePixels } from './pixels.js';
import type { Platform } from './platform.js';
import { bytesOf, snapshot } from './snapshot.js';
import type { ImageSource } from './types.js';

/** A picture as it is taken hold of. */
export type Picture =
  /** A file, read on its turn. */
  | { readonly kind: 'file'; readonly blob: Blob }
  /** A file's bytes, copied. */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array<ArrayBuffer> }
  | FileAt
  /** Pixels, or what the browser has them in. */
  | Shown;

/** A file where its URL says. */
export interface FileAt {
  readonly kind: 'url';
  readonly url: URL;
  readonly init?: Omit<FetchInit, 'signal'>;
  /** Milliseconds without a byte after which it is given up; by default only the time for all of it counts. */
  readonly patience?: number;
}

/** What something shows: taken hold of already, unless it is still loading. */
export interface Shown {
  readonly kind: 'shown';
  readonly held: Promise<Held>;
  /** Whether they are as the caller had them; a bitmap never is. */
  readonly plain: boolean;
  /** Why it may take for ever, if there is more to say. */
  readonly hint?: string;
}

/** How to take hold of one. */
export interface TakeOptions {
  readonly resolve: Platform['resolve'];
  readonly limits: TakenLimits;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Takes hold of `source` as it is now. The caller's buffers are copied, never taken. An `<img>` that is still loading is
 * waited for until `signal` aborts.
 *
 * @throws {MixedFeelingsError} when it is no picture, or too large to be looked at.
 */
export function takePicture(source: ImageSource, { resolve, limits, signal }: TakeOptions): Picture {
  if (isBytes(source)) {
    checkImageBytes(source.byteLength, 'the image', limits);
    return { kind: 'bytes', bytes: viewOf(source, 'image').slice() as Uint8Array<ArrayBuffer> };
  }
  const kind = kindOf(source);
  switch (kind) {
    case 'String':
    case 'URL':
      return { kind: 'url', url: resolve(source as string | URL) };
    case 'Blob':
    case 'File': {
      const blob = source as Blob;
      checkImageBytes(blob.size, 'the image', limits);
      return { kind: 'file', blob };
    }
    case 'ImageData': {
      const image = source as ImageData;
      const bytes = bytesOf(image.width, image.height);
      return taken(async () => copied(bytes, () => takePixels(image, limits)), true);
    }
    case 'HTMLImageElement': {
      const image = source as HTMLImageElement;
      const hint = image.loading === 'lazy' ? 'with loading="lazy" it is loaded when it comes into view' : undefined;
      return taken(() => takeElement(image, signal), false, hint);
    }
    case 'HTMLCanvasElement':
    case 'OffscreenCanvas':
    case 'ImageBitmap': {
      const drawable = source as HTMLCanvasElement | OffscreenCanvas | ImageBitmap;
      const { width, height } = drawable;
      const bytes = bytesOf(width, height);
      if (!bytes) checkSides(width, height);
      // A copy of what never changes shares its pixels.
      const more = kind === 'ImageBitmap' ? 0 : bytes;
      return taken(async () => copied(more, () => snapshot(drawable, width, height)), false);
    }
    default:
      throw new MixedFeelingsError(
        'bad-input',
        `image is ${kind}: give a Blob, File, ArrayBuffer, URL, <img>, <canvas>, OffscreenCanvas, ImageBitmap or ImageData`,
      );
  }
}

function taken(take: () => Promise<Held>, plain: boolean, hint?: string): Shown {
  const held = take();
  // Whoever gave it up does not look any more.
  held.catch(() => {});
  return { kind: 'shown', held, plain, ...(hint !== undefined && { hint }) };
}
