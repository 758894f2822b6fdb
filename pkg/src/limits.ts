/** What is refused for its size before it is read or copied. The program has the same limits: see `src/image/`, `src/text/`. */

import { MixedFeelingsError, shown } from './errors.js';

/** Most bytes of a text, in UTF-8, and of a picture's file; most pixels of a picture. */
export interface TakenLimits {
  readonly textBytes: number;
  readonly imageBytes: number;
  readonly imagePixels: number;
}

export const LIMITS: TakenLimits = { textBytes: 100_000, imageBytes: 64_000_000, imagePixels: 64_000_000 };

/** @throws {MixedFeelingsError} `image-too-large`; `what` names the picture. */
export function checkImageBytes(bytes: number, what: string, { imageBytes }: TakenLimits): void {
  if (bytes <= imageBytes) return;
  throw new MixedFeelingsError('image-too-large', `${shown(what)} has more than ${imageBytes} bytes`);
}

/** @throws {MixedFeelingsError} `image-empty` or `image-too-large`. */
export function checkSides(width: number, height: number, { imagePixels }: TakenLimits = LIMITS): void {
  if (!(width > 0 && height > 0)) throw new MixedFeelingsError('image-empty', `the image has ${width}x${height} pixels`);
  if (width * height <= imagePixels) return;
  throw new MixedFeelingsError(
    'image-too-large',
    `image of ${width}x${height} pixels is too large: at most ${imagePixels} in all are read`,
  );
}

/** @throws {MixedFeelingsError} `text-too-long`. */
export function checkText(text: string, { textBytes }: TakenLimits): void {
  // Each UTF-16 unit is a byte at least, and three at most: only in between they must be counted.
  if (text.length * 3 <= textBytes) return;
  if (text.length <= textBytes && new TextEncoder().encode(text).length <= textBytes) return;
  throw new MixedFeelingsError(
    'text-too-long',
    `the text has ${text.length} characters; at most ${textBytes} bytes of UTF-8 are read`,
  );
}
