/** The browser's own decoder, for formats that the package has none for. What it shows is up to the browser. */

import { orAborted } from './abort.js';
import { takeElement } from './img.js';
import { release } from './held.js';
import { checkSides, type TakenLimits } from './limits.js';
import { snapshot, type Bitmap, type Pixels } from './snapshot.js';

/** Some browsers look at the type and not at the bytes; the bytes say what the type should be. */
const TYPES: Readonly<Record<string, string>> = {
  AVIF: 'image/avif',
  CUR: 'image/x-icon',
  HEIC: 'image/heic',
  HEIF: 'image/heif',
  ICO: 'image/x-icon',
  'JPEG 2000': 'image/jp2',
  'JPEG XL': 'image/jxl',
  SVG: 'image/svg+xml',
  TIFF: 'image/tiff',
};

/** How it is read. */
export interface BrowserDecoding {
  readonly format: string;
  readonly limits: TakenLimits;
  readonly signal: AbortSignal;
}

/** What the browser makes of a file of this format; nothing if it does not read it either. */
export async function decodeByBrowser(file: Blob, { format, limits, signal }: BrowserDecoding): Promise<Bitmap | Pixels | undefined> {
  if (typeof createImageBitmap !== 'function') return undefined;
  const blob = new Blob([file], { type: TYPES[format] ?? file.type });
  const decoding = format === 'SVG' ? drawn(blob, signal) : decoded(blob, limits);
  // What comes too late is for nobody.
  decoding.then((image) => signal.aborted && image && release(image), () => {});
  try {
    return await orAborted(decoding, signal);
  } catch (error) {
    if (signal.aborted || (error as { code?: unknown }).code === 'image-too-large') throw error;
    return undefined;
  }
}

/** In a thread of the browser's. */
async function decoded(blob: Blob, limits: TakenLimits): Promise<Bitmap | Pixels> {
  const bitmap = await createImageBitmap(blob);
  try {
    checkSides(bitmap.width, bitmap.height, limits);
    return await snapshot(bitmap, bitmap.width, bitmap.height);
  } finally {
    bitmap.close();
  }
}

/** Only an element draws an SVG: one that runs no script and loads nothing. */
async function drawn(blob: Blob, signal: AbortSignal): Promise<Bitmap | Pixels | undefined> {
  if (typeof Image !== 'function') return undefined;
  const url = URL.createObjectURL(blob);
  const image = new Image();
  try {
    image.src = url;
    return await (await takeElement(image, signal)).read();
  } finally {
    URL.revokeObjectURL(url);
  }
}
