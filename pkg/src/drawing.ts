/**
 * What a page shows as a picture: elements, canvases and bitmaps. The browser takes a snapshot, which costs the page
 * little; the pixels are read where the engine is.
 */

import { MixedFeelingsError } from './errors.js';

/** A picture's pixels, row by row. */
export interface Pixels {
  readonly kind: 'rgba';
  readonly width: number;
  readonly height: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A snapshot that nobody else has. */
export interface Bitmap {
  readonly kind: 'bitmap';
  readonly bitmap: ImageBitmap;
}

type Drawable = HTMLImageElement | HTMLCanvasElement | OffscreenCanvas | ImageBitmap;

/**
 * The longest side that is taken; the browser scales larger ones down. The model sees a few hundred pixels, and a tab
 * should not run out of memory over a poster.
 */
const LONGEST_SIDE = 2048;

/** Takes hold of what `source`, of `sourceWidth` x `sourceHeight` pixels, shows now. */
export async function snapshot(source: Drawable, sourceWidth: number, sourceHeight: number): Promise<Bitmap | Pixels> {
  if (sourceWidth === 0 || sourceHeight === 0) {
    throw new MixedFeelingsError('image-empty', `the image has ${sourceWidth}x${sourceHeight} pixels`);
  }
  const scale = Math.min(1, LONGEST_SIDE / Math.max(sourceWidth, sourceHeight));
  const width = Math.max(1, Math.round(sourceWidth * scale));
  const height = Math.max(1, Math.round(sourceHeight * scale));
  try {
    // A worker that cannot draw (Safari before 16.4) gets pixels.
    if (typeof OffscreenCanvas !== 'function') return read(source, width, height);
    // One pixel tells whether the page may read it at all.
    draw(source, [0, 0, 1, 1], 1, 1);
    const resize = { resizeWidth: width, resizeHeight: height, resizeQuality: 'high' } as const;
    return { kind: 'bitmap', bitmap: await createImageBitmap(source, scale < 1 ? resize : {}) };
  } catch (cause) {
    const tainted = cause instanceof DOMException && cause.name === 'SecurityError';
    throw new MixedFeelingsError(
      'image-fetch',
      tainted
        ? 'the image comes from another site that does not let this page read it: load it with the crossorigin attribute'
        : `the image cannot be drawn: ${String(cause)}`,
      { cause },
    );
  }
}

/** The pixels of a snapshot, which is used up. */
export function pixelsOf({ bitmap }: Bitmap): Pixels {
  try {
    return read(bitmap, bitmap.width, bitmap.height);
  } finally {
    bitmap.close();
  }
}

function read(source: Drawable, width: number, height: number): Pixels {
  const { data } = draw(source, undefined, width, height);
  return { kind: 'rgba', width, height, bytes: new Uint8Array(data.buffer as ArrayBuffer) };
}

/** All of `source`, or a part of it (left, top, width, height), drawn into `width` x `height` pixels. */
function draw(source: Drawable, part: [number, number, number, number] | undefined, width: number, height: number): ImageData {
  const canvas =
    typeof OffscreenCanvas === 'function'
      ? new OffscreenCanvas(width, height)
      : Object.assign(document.createElement('canvas'), { width, height });
  const context = canvas.getContext('2d', { willReadFrequently: true }) as
    | CanvasRenderingContext2D
    | OffscreenCanvasRenderingContext2D
    | null;
  if (!context) throw new MixedFeelingsError('unsupported', 'this browser gives no 2D canvas');
  context.imageSmoothingQuality = 'high';
  if (part) context.drawImage(source, ...part, 0, 0, width, height);
  else context.drawImage(source, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}
