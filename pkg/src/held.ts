/** What was taken hold of at a call and waits for its turn: a handle where there can be one, or else a copy of the pixels. */

import { MixedFeelingsError } from './errors.js';
import type { Bitmap, Pixels } from './snapshot.js';

/** A picture whose pixels are there, or can be had. */
export interface Held {
  /** Its pixels as they were at the call, on its turn. They go with {@link drop}. */
  read(): Promise<Pixels | Bitmap>;
  /** Nobody wants it any more. */
  drop(): void;
}

/** The most bytes of copies that wait: whoever sends hundreds of canvases at once would run out of memory. */
const MOST_WAITING = 1e9;

let waiting = 0;
/** How many copies wait of what never changes: those share their pixels. */
const shared = new Map<ImageBitmap, number>();

/** Whether so many bytes more may wait. */
export function fits(bytes: number): boolean {
  return waiting === 0 || waiting + bytes <= MOST_WAITING;
}

/**
 * A copy of at most so many bytes, which `take` makes at once; of `source`, if that never changes.
 *
 * @throws {MixedFeelingsError} `image-memory` when too many of them wait.
 */
export function copied(bytes: number, take: () => Promise<Pixels | Bitmap>, source?: ImageBitmap): Held {
  const others = source && shared.get(source);
  const more = others ? 0 : bytes;
  if (!fits(more)) {
    const message = `more than ${MOST_WAITING} bytes of pixels wait to be read: wait for each call, or give files or URLs`;
    throw new MixedFeelingsError('image-memory', message);
  }
  waiting += more;
  if (source) shared.set(source, (others ?? 0) + 1);
  const held = later(take);
  held.read().catch(() => {}); // Whoever gave it up does not look any more.
  let dropped = false;
  return {
    read: held.read,
    drop() {
      held.drop();
      if (dropped) return;
      dropped = true;
      const left = source ? (shared.get(source) ?? 1) - 1 : 0;
      if (source && left > 0) shared.set(source, left);
      else {
        if (source) shared.delete(source);
        waiting -= bytes;
      }
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
