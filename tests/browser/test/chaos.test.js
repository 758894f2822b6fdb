// Rounds of bad luck in a real Chromium: workers that die, calls that are aborted, a network that breaks off, a
// full disk, an emptied cache, hostile pictures among good ones. Every promise settles, every good post that no event met
// has its right answer, the call after an event works, and memory stays flat.
//
// CHAOS_ROUNDS and CHAOS_SEED choose how many rounds and which: 1,000 take five minutes.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';

import { openBlank, start } from '../lib/browser.js';
import { drawRounds, judge, tally } from '../lib/chaos.js';
import { ROOT } from '../lib/demo.js';
import { imageBomb, png } from '../lib/files.js';
import { residentBytes } from '../lib/memory.js';

const ROUNDS = Number(process.env.CHAOS_ROUNDS ?? 200);
const SEED = Number(process.env.CHAOS_SEED ?? 1);
/** Rounds until everything has been needed once; memory is compared from there on. */
const WARM = Math.floor(ROUNDS / 4);

const photo = (name) => readFileSync(`${ROOT}www/photos/${name}`);
const fixture = (name) => readFileSync(`${ROOT}tests/fixtures/images/${name}`);
const picture = (name) => readFileSync(`${ROOT}tests/cases/images/${name}`);

/** Posts with an answer. */
const GOOD = {
  text: { text: 'What a lovely cup of coffee' },
  sad: { text: 'Monday again. I slept badly and I hate everything about this day.' },
  photo: { image: photo('coffee.jpg') },
  both: { text: 'Living the dream in our lovely new home!', image: photo('dust-bowl-home.jpg') },
  webp: { text: 'so tired', image: fixture('lossy.webp') },
  large: { image: png(4000, 3000) },
};

/** Posts with an error, and its code. */
const BAD = {
  nothing: [{}, 'empty-post'],
  'no image': [{ text: 'hello', image: Buffer.from('this is no image at all') }, 'not-an-image'],
  'a web page': [{ image: Buffer.from('<!doctype html><title>Not found</title>') }, 'not-an-image'],
  'an empty file': [{ image: Buffer.alloc(0) }, 'image-empty'],
  'a bomb': [{ text: 'hello', image: imageBomb() }, 'image-too-large'],
  'a cut photo': [{ image: photo('coffee.jpg').subarray(0, 200) }, 'image-corrupt'],
  'noise for rows': [{ image: png(64, 64, Buffer.from('these are no compressed rows')) }, 'image-corrupt'],
  'a palette of 4 bytes': [{ image: picture('p12_palette_4_bytes.png') }, 'image-corrupt'],
  'a frame of 0x0': [{ image: picture('w12_anim_alph_then_vp8_of_0x0.webp') }, 'image-corrupt'],
};

describe('chaos', () => {
  let stage;
  let page;
  const expected = Object.fromEntries(Object.entries(BAD).map(([name, [, code]]) => [name, { code }]));
  before(async () => {
    stage = await start();
    page = await openBlank(stage, await stage.newContext());
  });
  after(() => stage?.stop());

  it(`${ROUNDS} rounds`, async () => {
    const module = readFileSync(new URL('../lib/chaos.js', import.meta.url));
    stage.network.answer('/chaos.js', { type: 'text/javascript', body: module });
    const session = await page.createCDPSession();
    const origin = new URL(stage.url).origin;
    await page.exposeFunction('kill', () => Promise.all(page.workers().map((worker) => worker.close().catch(() => {}))));
    await page.exposeFunction('cutNetwork', (bytes) => stage.network.cutNextBundle(bytes));
    await page.exposeFunction('fillQuota', (full) =>
      session.send('Storage.overrideQuotaForOrigin', full ? { origin, quotaSize: 1000 } : { origin }),
    );
    const posts = { ...GOOD, ...Object.fromEntries(Object.entries(BAD).map(([name, [post]]) => [name, post])) };
    const sent = Object.entries(posts).map(([name, { text, image }]) => [name, text, image?.toString('base64') ?? null]);
    Object.assign(expected, await page.evaluate(setUp, sent, Object.keys(GOOD)));

    const names = { good: Object.keys(GOOD), bad: Object.keys(BAD) };
    const rounds = drawRounds(ROUNDS, SEED, names);
    const results = [];
    const wrong = [];
    const memory = [];
    for (const round of rounds) {
      const next = names.good[round.number % names.good.length];
      const result = await page.evaluate((round, next) => window.play(round, next), round, next);
      results.push(result);
      wrong.push(...judge(round, result, next, expected));
      if (wrong.length > 20) break;
      if (round.number === WARM || round.number === ROUNDS - 1) {
        await session.send('HeapProfiler.collectGarbage');
        const { JSHeapUsedSize } = await page.metrics();
        memory.push({ heap: JSHeapUsedSize, resident: residentBytes('renderer'), workers: page.workers().length });
      }
    }
    console.log(JSON.stringify({ seed: SEED, ...tally(rounds.slice(0, results.length), results), memory }, null, 1));
    assert.deepEqual(wrong, []);
    const [warm, end] = memory;
    assert.equal(end.workers, 1, 'one analyzer has one worker');
    assert.ok(end.heap < warm.heap + 3e6, `the page's heap grew from ${warm.heap} to ${end.heap} bytes`);
    assert.ok(end.resident < 1.3 * warm.resident, `the process grew from ${warm.resident} to ${end.resident} bytes`);
  });
});

/** Runs in the page: makes `window.play`, and returns what each good post is answered. */
async function setUp(posts, good) {
  const { play } = await import('/chaos.js');
  const { createAnalyzer } = await import('/pkg/dist/index.js');
  const world = {
    posts: Object.fromEntries(
      posts.map(([name, text, base64]) => {
        const bytes = base64 === null ? undefined : Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
        return [name, { text, image: bytes && new Blob([bytes]) }];
      }),
    ),
    open: () => createAnalyzer({ cache: true, worker: true }),
    kill: window.kill,
    emptyCache: () => caches.delete('mixed-feelings'),
    cutNetwork: window.cutNetwork,
    fillQuota: window.fillQuota,
  };
  world.analyzer = await world.open();
  window.play = (round, next) => play(world, round, next);
  const answers = {};
  for (const name of good) {
    const { label, valence } = await world.analyzer.analyze(world.posts[name]);
    answers[name] = { label, valence };
  }
  return answers;
}
