/** What is refused for its size before it is read or copied. The program has the same limits: see `src/image/`, `src/text/`. */

import { MixedFeelingsError, shown } from './errors.js';

/** Most bytes of a picture's file. */
export const MOST_IMAGE_BYTES = 64_000_000;
/** Most pixels of a picture. */
const MOST_PIXELS = 64_000_000;
/** Most bytes of a text, in UTF-8. */
const MOST_TEXT_BYTES = 100_000;

/** @throws {MixedFeelingsError} `image-too-large`; `what` names the picture. */
export function checkImageBytes(bytes: number, what: string): void {
  if (bytes <= MOST_IMAGE_BYTES) return;
  throw new MixedFeelingsError('image-too-large', `${shown(what)} has more than ${MOST_IMAGE_BYTES} bytes`);
}

/** @throws {MixedFeelingsError} `image-empty` or `image-too-large`. */
export function checkSides(width: number, height: number): void {
  if (!(width > 0 && height > 0)) throw new MixedFeelingsError('image-empty', `the image has ${width}x${height} pixels`);
  if (width * height <= MOST_PIXELS) return;
  throw new MixedFeelingsError(
    'image-too-large',
    `image of ${width}x${height} pixels is too large: at most ${MOST_PIXELS} in all are read`,
  );
}

/** @throws {MixedFeelingsError} `text-too-long`, where the number of UTF-16 units alone says so: each is a byte at least. */
export function checkText(text: string): void {
  if (text.length <= MOST_TEXT_BYTES) return;
  throw new MixedFeelingsError(
    'text-too-long',
    `the text has ${text.length} characters; at most ${MOST_TEXT_BYTES} bytes of UTF-8 are read`,
  );
}
