// Cuts the weights into assets that Cloudflare takes: `node split.js` before `wrangler dev` and `wrangler deploy`.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const MOST = 20 << 20;

const weights = readFileSync(fileURLToPath(import.meta.resolve('mixed-feelings/mixed-feelings-small.safetensors')));
mkdirSync('weights', { recursive: true });
for (let from = 0; from < weights.length; from += MOST) {
  writeFileSync(`weights/weights.${from / MOST}`, weights.subarray(from, from + MOST));
}
