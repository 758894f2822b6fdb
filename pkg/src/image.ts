/** From whatever a page has a picture in to what the program reads: a file's bytes, or RGBA pixels. */

import { MixedFeelingsError } from './errors.js';
import { absolute, fetchBytes } from './fetch.js';
import type { ImageSource } from './types.js';

/** A picture that survives a message to a worker. */
export type ImageInput =
  | { readonly kind: 'encoded'; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'rgba'; readonly width: number; readonly height: number; readonly bytes: Uint8Array<ArrayBuffer> };

/**
 * The longest side that is taken from an element, a canvas or a bitmap; the browser scales larger ones down. The model
 * sees a few hundred pixels, and a tab should not run out of memory over a poster.
 */
const LONGEST_SIDE = 4096;

/** Reads `source`. The caller's buffers are copied, never taken. */
export async function readImage(source: ImageSource, signal?: AbortSignal): Promise<ImageInput> {
  if (typeof source === 'string' || source instanceof URL) {
    return encoded(await fetchBytes(absolute(source), 'image-fetch', { signal, cache: false }));
  }
  if (source instanceof ArrayBuffer) return encoded(new Uint8Array(source.slice(0)));
  if (ArrayBuffer.isView(source)) {
    return encoded(Uint8Array.from(new Uint8Array(source.buffer, source.byteOffset, source.byteLength)));
  }
  // By name and not by `instanceof`: an image of another frame is one too, and outside browsers there are no classes.
  switch (kindOf(source)) {
    case 'Blob':
    case 'File':
      return encoded(await readBlob(source as Blob));
    case 'ImageData':
      return pixelsOf(source as ImageData);
    case 'HTMLImageElement':
      return drawImageElement(source as HTMLImageElement);
    case 'HTMLCanvasElement':
    case 'OffscreenCanvas':
    case 'ImageBitmap': {
      const drawable = source as HTMLCanvasElement | OffscreenCanvas | ImageBitmap;
      return draw(drawable, drawable.width, drawable.height);
    }
    default:
      throw new MixedFeelingsError(
        'bad-input',
        `image is ${kindOf(source)}: give a Blob, File, ArrayBuffer, URL, <img>, <canvas>, OffscreenCanvas, ImageBitmap or ImageData`,
      );
  }
}

function kindOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1);
}

function encoded(bytes: Uint8Array<ArrayBuffer>): ImageInput {
  return { kind: 'encoded', bytes };
}

async function readBlob(blob: Blob): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await blob.arrayBuffer());
  } catch (cause) {
    throw new MixedFeelingsError('image-fetch', `the image file cannot be read: ${String(cause)}`, { cause });
  }
}

function pixelsOf({ data, width, height }: ImageData): ImageInput {
  if (!(data instanceof Uint8ClampedArray)) {
    throw new MixedFeelingsError('bad-input', 'an ImageData must have the pixelFormat "rgba-unorm8"');
  }
  return { kind: 'rgba', width, height, bytes: Uint8Array.from(data) };
}

async function drawImageElement(image: HTMLImageElement): Promise<ImageInput> {
  try {
    await image.decode();
  } catch (cause) {
    throw new MixedFeelingsError('image-fetch', `the <img> has no image: ${image.currentSrc || 'it has no src'}`, { cause });
  }
  return draw(image, image.naturalWidth, image.naturalHeight);
}

function draw(source: CanvasImageSource, sourceWidth: number, sourceHeight: number): ImageInput {
  const scale = Math.min(1, LONGEST_SIDE / Math.max(sourceWidth, sourceHeight));
  const width = Math.max(1, Math.round(sourceWidth * scale));
  const height = Math.max(1, Math.round(sourceHeight * scale));
  if (sourceWidth === 0 || sourceHeight === 0) {
    throw new MixedFeelingsError('image-empty', `the image has ${sourceWidth}x${sourceHeight} pixels`);
  }
  try {
    const context = scratch(width, height);
    context.imageSmoothingQuality = 'high';
    context.drawImage(source, 0, 0, width, height);
    const { data } = context.getImageData(0, 0, width, height);
    return { kind: 'rgba', width, height, bytes: Uint8Array.from(data) };
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

function scratch(width: number, height: number): CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D {
  const canvas =
    typeof OffscreenCanvas === 'function'
      ? new OffscreenCanvas(width, height)
      : Object.assign(document.createElement('canvas'), { width, height });
  const context = canvas.getContext('2d', { willReadFrequently: true }) as
    | CanvasRenderingContext2D
    | OffscreenCanvasRenderingContext2D
    | null;
  if (!context) throw new MixedFeelingsError('unsupported', 'this browser gives no 2D canvas');
  return context;
}
