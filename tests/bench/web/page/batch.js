// Many posts through the npm package: one after another, and as a batch. In turns, so that what disturbs one disturbs both.

import { createAnalyzer, textOf } from './package.js';

/** Words of a short text. */
const SHORT = 12;

/** Posts a second of each way, the median of `rounds`; `photos` are addresses of photos. */
export async function batch({ texts, rounds, photos, device }) {
  const analyzer = await createAnalyzer({ device });
  await analyzer.warmup();
  let number = 0;
  const short = () => Array.from({ length: texts }, () => ({ text: `${number++} ${textOf(number).split(' ').slice(0, SHORT).join(' ')}` }));
  const files = await Promise.all(photos.map(async (url) => (await fetch(url)).blob()));
  // Copies, because the package remembers its last file.
  const pictures = () => files.map((file) => ({ image: new Blob([file]) }));
  const speeds = {};
  for (const [name, posts] of [['texts', short], ['photos', pictures]]) {
    const found = { single: [], batch: [] };
    for (let round = -1; round < rounds && posts().length > 0; round++) {
      for (const [way, read] of [['single', oneByOne], ['batch', together]]) {
        const given = posts();
        const began = performance.now();
        await read(analyzer, given);
        if (round >= 0) found[way].push((1000 * given.length) / (performance.now() - began));
      }
    }
    speeds[name] = { single: median(found.single), batch: median(found.batch) };
  }
  const info = await analyzer.info();
  analyzer.dispose();
  return { texts, photos: photos.length, backend: info.backend, device: info.device, why: info.why.device, speeds };
}

async function oneByOne(analyzer, posts) {
  for (const post of posts) await analyzer.analyze(post);
}

async function together(analyzer, posts) {
  for await (const { error } of analyzer.analyzeBatch(posts)) if (error) throw error;
}

function median(values) {
  return values.sort((a, b) => a - b)[values.length >> 1] ?? null;
}
