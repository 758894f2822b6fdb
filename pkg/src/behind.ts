/**
 * The file behind an `<img>`. Browsers decode and scale a little differently from each other and from the package, which
 * can move an answer: read from its file, an element gives the same answer as the file, in every browser.
 */

import type { FetchInit } from './api.js';
import type { Decoded } from './decoder.js';
import type { Pixels } from './snapshot.js';

/** Where the file is, and how to tell whether it is the one. */
export interface Behind {
  readonly url: URL;
  readonly init: Omit<FetchInit, 'signal'>;
  /** What the element shows, small; none where the URL can name no other picture. */
  readonly look: (() => Promise<Pixels | undefined>) | undefined;
  /** It cannot be had, or is another one: what failed is not tried again for each text that comes with it. */
  failed(): void;
}

/** The `currentSrc` of elements whose file could not be used. */
const failures = new WeakMap<HTMLImageElement, string>();

/** The file of the picture that `image` shows now, unless the page may not read it. `look` shows what the element does. */
export function fileBehind(image: HTMLImageElement, look: () => Promise<Pixels | undefined>): Behind | undefined {
  const { currentSrc, crossOrigin } = image;
  const url = parsed(currentSrc);
  if (!url || !/^(https?|data|blob):$/.test(url.protocol) || failures.get(image) === currentSrc) return undefined;
  // Without `crossorigin` a page may see what another site lets nobody read; to ask for it would only fill the console.
  if (url.protocol !== 'data:' && crossOrigin === null && url.origin !== globalThis.origin) return undefined;
  if (isForbidden(url)) return undefined;
  return {
    url,
    init: {
      // What the element was loaded with, if the browser still has it, however old.
      cache: 'force-cache',
      mode: crossOrigin === null ? 'same-origin' : 'cors',
      credentials: crossOrigin === 'use-credentials' ? 'include' : 'same-origin',
      referrerPolicy: image.referrerPolicy as NonNullable<FetchInit['referrerPolicy']>,
    },
    look: /^https?:$/.test(url.protocol) ? look : undefined,
    failed: () => void failures.set(image, currentSrc),
  };
}

/** What the page's policy forbids: origins, or schemes without one. Nothing but a refusal tells, and each is logged. */
const forbidden = new Set<string>();
let listening = false;

function isForbidden({ origin, protocol }: URL): boolean {
  if (!listening) {
    document.addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) => {
      if (effectiveDirective !== 'connect-src') return;
      forbidden.add(parsed(blockedURI)?.origin ?? `${blockedURI}:`);
    });
  }
  listening = true;
  return forbidden.has(protocol) || forbidden.has(origin);
}

function parsed(url: string): URL | undefined {
  try {
    return new URL(url);
  } catch {
    return undefined;
  }
}

/** Squares a side in which two pictures are compared. */
const SQUARES = 8;
/** Levels that the mean of a square may differ by: scaling and colours move it by one or two. */
const MOST_APART = 12;

/** Whether two pictures show the same, but for the ways in which they were scaled. */
export function isAlike(one: Decoded, other: Decoded): boolean {
  const side = Math.sqrt(one.pixels.length / 3);
  const sums = new Float64Array(3 * SQUARES * SQUARES);
  for (let i = 0; i < one.pixels.length; i++) {
    const [x, y] = [Math.floor(i / 3) % side, Math.floor(i / 3 / side)];
    const square = Math.floor((y * SQUARES) / side) * SQUARES + Math.floor((x * SQUARES) / side);
    sums[3 * square + (i % 3)]! += one.pixels[i]! - other.pixels[i]!;
  }
  const pixels = (side / SQUARES) ** 2;
  return sums.every((sum) => Math.abs(sum) / pixels <= MOST_APART);
}
