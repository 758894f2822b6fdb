// The package's worker with a program that never returns: the decoder, or the engine at the text "endless". After `#open` it
// is the opening that never ends, after `#slow` the decoder only takes 13 seconds to arrive.

import { readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';

import { ENDLESS } from './endless.mjs';
import { dist } from './node.mjs';

const how = new URL(import.meta.url).hash;

async function* slowly(bytes) {
  for (let part = 0; part < 26; part++) {
    await setTimeout(500);
    yield bytes.subarray((part * bytes.length) / 26, ((part + 1) * bytes.length) / 26);
  }
}

const { fetch } = globalThis;
globalThis.fetch = async (url, init) => {
  if (String(url) !== new URL('decoder.wasm', dist).href) return fetch(url, init);
  return new Response(how === '#slow' ? ReadableStream.from(slowly(await readFile(new URL(url)))) : ENDLESS);
};
addEventListener('message', ({ data: { type, call } }) => {
  while (call?.text === 'endless' || (how === '#open' && type === 'open'));
});
await import(new URL('worker.js', dist));
