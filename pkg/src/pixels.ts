/** `ImageData`: copied at the call, made smaller on the way when it is large. */

import { MixedFeelingsError, shown } from './errors.js';
import { kindOf } from './kinds.js';
import { checkSides, type TakenLimits } from './limits.js';
import type { Bitmap, Pixels } from './snapshot.js';

/** The most pixels that are passed on: four times as many bytes are copied to the worker and into the program. */
const MOST_PASSED = 16_000_000;

/** The pixels of `image` at the call. Those of another colour space become sRGB, which browsers do and we need not. */
export async function takePixels(image: ImageData, limits: TakenLimits): Promise<Pixels | Bitmap> {
  const { data, width, height } = image;
  if (kindOf(data) !== 'Uint8ClampedArray') {
    throw new MixedFeelingsError('bad-input', 'an ImageData must have the pixelFormat "rgba-unorm8"');
  }
  checkSides(width, height, limits);
  if (data.length !== 4 * width * height) {
    throw new MixedFeelingsError('bad-input', `the ImageData has ${data.length} bytes for ${width}x${height} pixels: is it detached?`);
  }
  if (image.colorSpace && image.colorSpace !== 'srgb') return { kind: 'bitmap', bitmap: await converted(image) };
  return reduced(data, width, height);
}

async function converted(image: ImageData): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(image);
  } catch (cause) {
    const message = `an ImageData in ${shown(image.colorSpace)} cannot be converted here: ${shown(cause)}`;
    throw new MixedFeelingsError('unsupported', message, { cause });
  }
}

/** A copy in which each pixel is the mean of a square of as many as needed, over white; of one where there are few. */
function reduced(data: Uint8ClampedArray, width: number, height: number): Pixels {
  const side = Math.ceil(Math.sqrt((width * height) / MOST_PASSED));
  // A side shorter than the square stays as it is.
  const [across, down] = [Math.min(side, width), Math.min(side, height)];
  if (across * down <= 1) return { kind: 'rgba', width, height, bytes: new Uint8Array(data) };
  const [columns, rows] = [Math.floor(width / across), Math.floor(height / down)];
  const bytes = new Uint8Array(4 * columns * rows);
  const sums = new Float64Array(3 * columns);
  const area = across * down;
  for (let row = 0, to = 0; row < rows; row++) {
    sums.fill(0);
    for (let line = row * down; line < (row + 1) * down; line++) {
      let from = 4 * line * width;
      for (let sum = 0; sum < sums.length; sum += 3) {
        for (const end = from + 4 * across; from < end; from += 4) {
          const alpha = data[from + 3]! / 255;
          sums[sum]! += 255 + (data[from]! - 255) * alpha;
          sums[sum + 1]! += 255 + (data[from + 1]! - 255) * alpha;
          sums[sum + 2]! += 255 + (data[from + 2]! - 255) * alpha;
        }
      }
    }
    for (let column = 0; column < columns; column++) {
      for (let c = 0; c < 3; c++) bytes[to++] = Math.round(sums[3 * column + c]! / area);
      bytes[to++] = 255;
    }
  }
  return { kind: 'rgba', width: columns, height: rows, bytes };
}
