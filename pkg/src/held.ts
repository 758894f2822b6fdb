/** What was taken hold of at a call and waits for its turn: a handle where there can be one, or else a copy of the pixels. */

import type { Behind } from './behind.js';
import { MixedFeelingsError } from './errors.js';
import type { Bitmap, Pixels } from './snapshot.js';

/** A picture whose pixels are there, or can be had. */
export interface Held {
  /** Its pixels as they were at the call, on its turn. They go with {@link drop}. */
  read(): Promise<Pixels | Bitmap>;
  /** The file that it was made of, if there may be one. */
  readonly behind?: Behind | undefined;
  /** Nobody wants it any more. */
  drop(): void;
}

/** The most bytes of copies that wait: whoever sends hundreds of canvases at once would run out of memory. */
const MOST_WAITING = 1e9;

let waiting = 0;

/** Whether so many bytes more may wait. */
export function fits(bytes: number): boolean {
  return waiting + bytes <= MOST_WAITING;
}

/**
 * A copy of at most so many bytes, which `take` makes at once.
 *
 * @throws {MixedFeelingsError} `image-memory` when too many of them wait.
 */
export function copied(bytes: number, take: () => Promise<Pixels | Bitmap>): Held {
  if (!fits(bytes)) {
    const message = `more than ${MOST_WAITING} bytes of pixels wait to be read: wait for each call, or give files or URLs`;
    throw new MixedFeelingsError('image-memory', message);
  }
  waiting += bytes;
  const held = later(take);
  held.read().catch(() => {}); // Whoever gave it up does not look any more.
  return {
    read: held.read,
    drop() {
      held.drop();
      waiting -= bytes;
      bytes = 0;
    },
  };
}

/** Pixels that `take` gets when they are asked for. */
export function later(take: () => Promise<Pixels | Bitmap>): Held {
  let pixels: Promise<Pixels | Bitmap> | undefined;
  return {
    read: () => (pixels ??= take()),
    drop: () => void pixels?.then(release, () => {}),
  };
}

/** Gives back at once what only garbage collection would. */
export function release(image: Pixels | Bitmap): void {
  if (image.kind === 'bitmap') image.bitmap.close();
}
