/** Pages, workers and edge runtimes: whatever speaks the language of the web. */

import { MixedFeelingsError, shown } from './errors.js';
import type { Platform } from './platform.js';

export const web: Platform = {
  // Looked up at each call: a page may put its own in its place.
  fetch: (url, init) => fetch(url, init),
  cores: () => (globalThis as { navigator?: { hardwareConcurrency?: number } }).navigator?.hardwareConcurrency ?? 1,
  resolve(url) {
    try {
      return new URL(url, base());
    } catch (cause) {
      throw new MixedFeelingsError('bad-input', `${JSON.stringify(shown(url))} is not a URL`, { cause });
    }
  },
};

/** What addresses are seen from. Nothing can be relative to a `blob:` URL, but its origin can be asked. */
function base(): string | undefined {
  if (typeof document === 'object') return document.baseURI;
  const { location } = globalThis as { location?: { href: string; origin: string } };
  return location?.href.startsWith('blob:') ? location.origin : location?.href;
}
