/**
 * What a page shows as a picture: elements, canvases and bitmaps. The page takes a snapshot, which costs it little; the
 * pixels are read where the engine is, which is mostly a worker.
 */

import { MixedFeelingsError, shown } from './errors.js';
import { checkSides } from './limits.js';

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

export type Drawable = HTMLImageElement | HTMLCanvasElement | OffscreenCanvas | ImageBitmap;
type Canvas = HTMLCanvasElement | OffscreenCanvas;

/** The longest side of a snapshot without scaling: of more, a second one may not fit into memory. */
const LONGEST_SNAPSHOT = 4096;

/**
 * The most pixels that are read as they are, a phone's photo among them: what a browser scales is read a little
 * differently from its file. Pixels and not sides: of a strip that is cropped to a square, the short side counts.
 */
const MOST_READ = 16_000_000;

/** The longest side of a canvas that every browser has. */
const LONGEST_CANVAS = 16_384;

/** The shorter side of a glance. */
const GLANCE = 128;

/**
 * Takes hold of what `source`, of `width` x `height` pixels, shows now: all that looks at it happens before this returns.
 */
export async function snapshot(source: Drawable, width: number, height: number): Promise<Bitmap | Pixels> {
  if (width === 0 || height === 0) checkSides(width, height);
  let bitmap: ImageBitmap | undefined;
  try {
    // Where a worker cannot draw (Firefox before 105) it gets pixels.
    if (typeof OffscreenCanvas !== 'function') return pixels(source, withinRead(width, height));
    bitmap = await take(source, width, height);
    // One pixel tells whether the page may read it at all: only here can it be said why not.
    const probe = contextOf(new OffscreenCanvas(1, 1));
    probe.drawImage(bitmap, 0, 0);
    probe.getImageData(0, 0, 1, 1);
    return { kind: 'bitmap', bitmap };
  } catch (cause) {
    bitmap?.close();
    throw notDrawn(cause);
  }
}

/** The most bytes that a snapshot of `width` x `height` pixels has; none of what are no numbers. */
export function bytesOf(width: number, height: number): number {
  return 4 * Math.min(width * height, MOST_READ) || 0;
}

/** Few pixels of what `source`, of `width` x `height`, shows now: enough to tell it from another picture. */
export function glance(source: Drawable, width: number, height: number): Pixels {
  const scale = Math.min(1, GLANCE / Math.min(width, height), LONGEST_SNAPSHOT / Math.max(width, height));
  return pixels(source, [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))]);
}

/** The pixels of a snapshot, which is used up. */
export function readBitmap({ bitmap }: Bitmap): Pixels {
  try {
    return pixels(bitmap, withinRead(bitmap.width, bitmap.height));
  } catch (cause) {
    throw notDrawn(cause);
  } finally {
    bitmap.close();
  }
}

/** A bitmap of `source`, which shows it as it is at the call. */
async function take(source: Drawable, width: number, height: number): Promise<ImageBitmap> {
  if (Math.max(width, height) <= LONGEST_SNAPSHOT) {
    try {
      return await createImageBitmap(source);
    } catch {
      // An SVG without a size of its own can be drawn all the same; what cannot be drawn either says why.
    }
  }
  const canvas = new OffscreenCanvas(...withinRead(width, height));
  draw(canvas, source);
  return canvas.transferToImageBitmap();
}

/** The pixels of `source` when it is scaled to this size. */
function pixels(source: Drawable, [width, height]: [number, number]): Pixels {
  const canvas =
    typeof OffscreenCanvas === 'function'
      ? new OffscreenCanvas(width, height)
      : Object.assign(document.createElement('canvas'), { width, height });
  const { data } = draw(canvas, source).getImageData(0, 0, width, height);
  return { kind: 'rgba', width, height, bytes: new Uint8Array(data.buffer as ArrayBuffer) };
}

/** `width` and `height`, scaled down if need be. */
function withinRead(width: number, height: number): [number, number] {
  const scale = Math.min(1, Math.sqrt(MOST_READ / (width * height)), LONGEST_CANVAS / Math.max(width, height));
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}

/** Draws `source` over all of `canvas`. */
function draw(canvas: Canvas, source: Drawable): CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D {
  const context = contextOf(canvas);
  context.imageSmoothingQuality = 'high';
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return context;
}

function contextOf(canvas: Canvas): CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D {
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) throw new MixedFeelingsError('unsupported', 'this browser gives no 2D canvas');
  return context as CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;
}

function notDrawn(cause: unknown): MixedFeelingsError {
  if (cause instanceof MixedFeelingsError) return cause;
  const tainted = (cause as Error | undefined)?.name === 'SecurityError';
  return new MixedFeelingsError(
    'image-fetch',
    tainted
      ? 'the image comes from another site that does not let this page read it: load it with the crossorigin attribute'
      : `the image cannot be drawn: ${shown(cause)}`,
    { cause },
  );
}
