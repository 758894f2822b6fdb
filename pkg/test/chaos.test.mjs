// The rounds of tests/browser/test/chaos.test.js in Node, with threads for workers and a real server for the weights.
//
// CHAOS_ROUNDS and CHAOS_SEED choose how many rounds and which: 1,000 take four minutes.

import assert from 'node:assert/strict';
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { describe, it } from 'node:test';

import { drawRounds, judge, play, tally } from '../../tests/browser/lib/chaos.js';
import { bundleFile, cannotRun, dist, installFileFetch, installWorker, serve, uninstallWorker } from './lib/node.mjs';

const ROUNDS = Number(process.env.CHAOS_ROUNDS ?? 200);
const SEED = Number(process.env.CHAOS_SEED ?? 2);
/** Rounds until everything has been needed once; memory is compared from there on. */
const WARM = Math.floor(ROUNDS / 4);

const read = (path) => new Uint8Array(readFileSync(new URL(`../../${path}`, import.meta.url)));

/** Posts with an answer. */
const GOOD = {
  text: { text: 'What a lovely cup of coffee' },
  sad: { text: 'Monday again. I slept badly and I hate everything about this day.' },
  photo: { image: read('www/photos/coffee.jpg') },
  both: { text: 'Living the dream in our lovely new home!', image: new Blob([read('www/photos/dust-bowl-home.jpg')]) },
  webp: { text: 'so tired', image: read('tests/fixtures/images/lossy.webp') },
};

/** Posts with an error, and its code. */
const BAD = {
  nothing: [{}, 'empty-post'],
  'no image': [{ text: 'hello', image: new TextEncoder().encode('this is no image at all') }, 'not-an-image'],
  'an empty file': [{ image: new Uint8Array() }, 'image-empty'],
  'a cut photo': [{ image: read('www/photos/coffee.jpg').subarray(0, 200) }, 'image-corrupt'],
  'a palette of 4 bytes': [{ image: read('tests/cases/images/p12_palette_4_bytes.png') }, 'image-corrupt'],
  'a frame of 0x0': [{ image: new Blob([read('tests/cases/images/w12_anim_alph_then_vp8_of_0x0.webp')]) }, 'image-corrupt'],
};

/** Serves the weights, whole, or up to `cut` bytes the next time. */
async function serveBundle() {
  const state = { cut: undefined };
  const server = await serve((request, response) => {
    const { cut } = state;
    state.cut = undefined;
    response.writeHead(200, { 'Content-Length': statSync(bundleFile).size });
    const file = createReadStream(bundleFile, cut === undefined ? {} : { end: Math.max(0, cut - 1) });
    file.pipe(response, { end: cut === undefined });
    if (cut !== undefined) file.on('end', () => response.destroy());
  });
  return { ...server, cutNext: (bytes) => (state.cut = bytes) };
}

describe('chaos', { skip: cannotRun }, () => {
  it(`${ROUNDS} rounds`, async () => {
    installFileFetch();
    const threads = installWorker();
    const running = () => threads.filter(({ threadId }) => threadId !== -1); // ended ones have none
    const server = await serveBundle();
    const { createAnalyzer } = await import(new URL('index.js', dist));
    const world = {
      posts: { ...GOOD, ...Object.fromEntries(Object.entries(BAD).map(([name, [post]]) => [name, post])) },
      open: () => createAnalyzer({ bundle: `${server.url}bundle.safetensors`, worker: true }),
      kill: () => Promise.all(running().map((thread) => thread.terminate())),
      emptyCache() {}, // Node has none
      fillQuota() {},
      cutNetwork: server.cutNext,
    };
    try {
      world.analyzer = await world.open();
      const expected = Object.fromEntries(Object.entries(BAD).map(([name, [, code]]) => [name, { code }]));
      for (const name of Object.keys(GOOD)) {
        const { label, valence } = await world.analyzer.analyze(GOOD[name]);
        expected[name] = { label, valence };
      }
      const names = { good: Object.keys(GOOD), bad: Object.keys(BAD) };
      const rounds = drawRounds(ROUNDS, SEED, names);
      const results = [];
      const wrong = [];
      const memory = [];
      for (const round of rounds) {
        const next = names.good[round.number % names.good.length];
        const result = await play(world, round, next);
        results.push(result);
        wrong.push(...judge(round, result, next, expected));
        if (wrong.length > 20) break;
        if (round.number === WARM || round.number === ROUNDS - 1) {
          memory.push({ resident: process.memoryUsage.rss(), workers: running().length });
        }
      }
      console.log(JSON.stringify({ seed: SEED, ...tally(rounds.slice(0, results.length), results), memory }, null, 1));
      assert.deepEqual(wrong, []);
      const [warm, end] = memory;
      assert.equal(end.workers, 1, 'one analyzer has one worker');
      assert.ok(end.resident < 1.3 * warm.resident, `the process grew from ${warm.resident} to ${end.resident} bytes`);
    } finally {
      world.analyzer?.dispose();
      uninstallWorker();
      await server.close();
    }
  });
});
