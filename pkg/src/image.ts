/** From whatever a page has a picture in to what an engine reads: a file's bytes, RGBA pixels, or a bitmap. */

import { snapshot, type Bitmap, type Pixels } from './snapshot.js';
import { MixedFeelingsError } from './errors.js';
import { absolute, fetchBytes } from './fetch.js';
import type { ImageSource } from './types.js';

/** A picture's file. */
export interface Encoded {
  readonly kind: 'encoded';
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A picture that survives a message to a worker. */
export type ImageInput = Encoded | Pixels | Bitmap;

/** Reads `source`. The caller's buffers are copied, never taken. */
export async function readImage(source: ImageSource, signal?: AbortSignal): Promise<ImageInput> {
  if (typeof source === 'string' || source instanceof URL) {
    return encoded(await fetchBytes(absolute(source), 'image-fetch', { signal, cache: false }));
  }
  if (source instanceof ArrayBuffer) return encoded(new Uint8Array(source.slice(0)));
  if (ArrayBuffer.isView(source)) {
    return encoded(new Uint8Array(source.buffer, source.byteOffset, source.byteLength).slice());
  }
  // By name and not by `instanceof`: an image of another frame is one too, and outside browsers there are no classes.
  switch (kindOf(source)) {
    case 'Blob':
    case 'File':
      return encoded(await readBlob(source as Blob));
    case 'ImageData':
      return copyOf(source as ImageData);
    case 'HTMLImageElement':
      return snapshotElement(source as HTMLImageElement);
    case 'HTMLCanvasElement':
    case 'OffscreenCanvas':
    case 'ImageBitmap': {
      const drawable = source as HTMLCanvasElement | OffscreenCanvas | ImageBitmap;
      return snapshot(drawable, drawable.width, drawable.height);
    }
    default:
      throw new MixedFeelingsError(
        'bad-input',
        `image is ${kindOf(source)}: give a Blob, File, ArrayBuffer, URL, <img>, <canvas>, OffscreenCanvas, ImageBitmap or ImageData`,
      );
  }
}

/** Gives back at once what only garbage collection would. */
export function release(image: ImageInput | undefined): void {
  if (image?.kind === 'bitmap') image.bitmap.close();
}

function kindOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1);
}

function encoded(bytes: Uint8Array<ArrayBuffer>): Encoded {
  return { kind: 'encoded', bytes };
}

async function readBlob(blob: Blob): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await blob.arrayBuffer());
  } catch (cause) {
    throw new MixedFeelingsError('image-fetch', `the image file cannot be read: ${String(cause)}`, { cause });
  }
}

function copyOf({ data, width, height }: ImageData): Pixels {
  if (!(data instanceof Uint8ClampedArray)) {
    throw new MixedFeelingsError('bad-input', 'an ImageData must have the pixelFormat "rgba-unorm8"');
  }
  return { kind: 'rgba', width, height, bytes: new Uint8Array(data.slice().buffer) };
}

async function snapshotElement(image: HTMLImageElement): Promise<ImageInput> {
  try {
    await image.decode();
  } catch (cause) {
    throw new MixedFeelingsError('image-fetch', `the <img> has no image: ${image.currentSrc || 'it has no src'}`, { cause });
  }
  return snapshot(image, image.naturalWidth, image.naturalHeight);
}
