/** `data:` URLs, read here: to fetch them is what a content security policy may forbid, and needs a second copy. */

import { MixedFeelingsError, shown } from './errors.js';
import { checkImageBytes, type TakenLimits } from './limits.js';

/** The bytes of a `data:` URL, as the Fetch standard reads it. */
export function bytesOfDataUrl(url: URL, limits: TakenLimits): Uint8Array<ArrayBuffer> {
  const [, header, body] = /^data:([^,]*),([^#]*)/s.exec(url.href) ?? [];
  if (header === undefined || body === undefined) {
    throw new MixedFeelingsError('image-fetch', `${shown(url.href)} has no comma: it is no data: URL`);
  }
  const base64 = /;\s*base64\s*$/i.test(header);
  // What the body comes to at least; each escape has three characters.
  checkImageBytes(base64 ? (body.length - 2) * 0.75 : body.length / 3, shown(url.href), limits);
  const bytes = unescaped(body);
  if (!base64) {
    checkImageBytes(bytes.length, url.href, limits);
    return bytes;
  }
  try {
    return Uint8Array.from(atob(latin1(bytes)), (character) => character.charCodeAt(0));
  } catch (cause) {
    throw new MixedFeelingsError('image-fetch', `${shown(url.href)} is not base64`, { cause });
  }
}

/** `%XX` as bytes; a URL has no others beyond ASCII. */
function unescaped(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    const digits = text[i] === '%' ? text.slice(i + 1, i + 3) : '';
    const escaped = /^[0-9a-f]{2}$/i.test(digits);
    bytes[length++] = escaped ? parseInt(digits, 16) : text.charCodeAt(i);
    if (escaped) i += 2;
  }
  return bytes.slice(0, length);
}

function latin1(bytes: Uint8Array): string {
  return new TextDecoder('latin1').decode(bytes);
}
