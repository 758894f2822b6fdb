/** URLs as a page writes them. */

import { MixedFeelingsError, shown } from './errors.js';

/** `url` seen from the page. */
export function absolute(url: string | URL): URL {
  const base = typeof document === 'object' ? document.baseURI : globalThis.location?.href;
  try {
    return new URL(url, base);
  } catch (cause) {
    throw new MixedFeelingsError('bad-input', `${JSON.stringify(shown(url))} is not a URL`, { cause });
  }
}
