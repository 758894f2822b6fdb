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

/** The longest side of a snapshot; larger pictures are scaled down for it, for a second one may not fit into memory. */
const LONGEST_SNAPSHOT = 4096;

/** The longest side whose pixels are read: the model sees a few hundred, and wasm memory never shrinks again. */
const LONGEST_READ = 2048;

/** Takes hold of what `source`, of `width` x `height` pixels, shows now. */
export async function snapshot(source: Drawable, width: number, height: number): Promise<Bitmap | Pixels> {
  if (width === 0 || height === 0) throw new MixedFeelingsError('image-empty', `the image has ${width}x${height} pixels`);
  try {
    // A worker that cannot draw (Safari before 16.4) gets pixels.
    if (typeof OffscreenCanvas !== 'function') return read(source, width, height);
    const bitmap = await take(source, width, height);
    // One pixel tells whether the page may read it at all: only here can it be said why not.
    draw(new OffscreenCanvas(1, 1), bitmap, [0, 0, 1, 1]).getImageData(0, 0, 1, 1);
    return { kind: 'bitmap', bitmap };
  } catch (cause) {
    if (cause instanceof MixedFeelingsError) throw cause;
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

/** A bitmap of `source`, which shows it as it is at the call. */
function take(source: Drawable, width: number, height: number): ImageBitmap | Promise<ImageBitmap> {
  if (Math.max(width, height) <= LONGEST_SNAPSHOT) return createImageBitmap(source);
  const canvas = new OffscreenCanvas(...within(LONGEST_SNAPSHOT, width, height));
  draw(canvas, source);
  return canvas.transferToImageBitmap();
}

/** `width` and `height`, scaled down if need be. */
function within(longest: number, width: number, height: number): [number, number] {
  const scale = Math.min(1, longest / Math.max(width, height));
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}

/** The pixels of a snapshot, which is used up. */
export function pixelsOf({ bitmap }: Bitmap): Pixels {
  try {
    return read(bitmap, bitmap.width, bitmap.height);
  } finally {
    bitmap.close();
  }
}

function read(source: Drawable, sourceWidth: number, sourceHeight: number): Pixels {
  const [width, height] = within(LONGEST_READ, sourceWidth, sourceHeight);
  const canvas =
    typeof OffscreenCanvas === 'function'
      ? new OffscreenCanvas(width, height)
      : Object.assign(document.createElement('canvas'), { width, height });
  const { data } = draw(canvas, source).getImageData(0, 0, width, height);
  return { kind: 'rgba', width, height, bytes: new Uint8Array(data.buffer as ArrayBuffer) };
}

/** Draws `source`, or a part of it (left, top, width, height), over all of `canvas`. */
function draw(
  canvas: HTMLCanvasElement | OffscreenCanvas,
  source: Drawable,
  part?: [number, number, number, number],
): CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D {
  const context = canvas.getContext('2d', { willReadFrequently: true }) as
    | CanvasRenderingContext2D
    | OffscreenCanvasRenderingContext2D
    | null;
  if (!context) throw new MixedFeelingsError('unsupported', 'this browser gives no 2D canvas');
  context.imageSmoothingQuality = 'high';
  if (part) context.drawImage(source, ...part, 0, 0, canvas.width, canvas.height);
  else context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return context;
}
