// The three worked examples, used as their readers use them.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';

import { hintFor } from '../../../www/examples/comments/hint.js';
import { moodAt } from '../../../www/examples/journal/curve.js';
import { pileOf, triage } from '../../../www/examples/reviews/triage.js';
import { click, collectErrors, fill, hidden, newPage, says, seen, start, textOf } from '../lib/browser.js';
import { ROOT } from '../lib/demo.js';

const LABELS = [
  { name: 'bad', polarity: -1 },
  { name: 'plain', polarity: 0 },
  { name: 'good', polarity: 1 },
];
const HINT_PAUSE = 1500; // ms in which a hint would come

describe('what the examples decide', () => {
  const answer = (label, p, more = {}) => ({
    label, scores: { bad: 0, plain: 0, good: 0, [label]: p }, sure: true, contradicts: null, text: { label }, image: null,
    valence: LABELS.find(({ name }) => name === label).polarity * p, explanation: { words: [] }, ...more,
  });

  it('a hint is for what is clearly unpleasant, or contradicts itself', () => {
    const words = [['!', 9], ['so', 8], ['awful', 3], ['day', 1], ['stupid', 5], ['nice', -7]].map(([text, weight]) => ({ text, weight }));
    assert.deepEqual(hintFor(answer('bad', 0.9, { explanation: { words } }), LABELS), { about: 'tone', words: ['stupid', 'awful'] });
    assert.equal(hintFor(answer('bad', 0.7), LABELS), null, 'not probable enough');
    assert.equal(hintFor(answer('bad', 0.9, { sure: false }), LABELS), null, 'not sure');
    assert.equal(hintFor(answer('good', 0.9), LABELS), null);
    assert.equal(hintFor(answer('good', 0.9, { contradicts: true }), LABELS).about, 'contradiction');
  });

  it('a review goes where somebody does the right thing about it', () => {
    assert.equal(pileOf(answer('bad', 0.9), LABELS), 'first');
    assert.equal(pileOf(answer('good', 0.9), LABELS), 'thank');
    assert.equal(pileOf(answer('plain', 0.9), LABELS), 'rest');
    assert.equal(pileOf(answer('good', 0.9, { sure: false }), LABELS), 'look');
    assert.equal(pileOf(answer('good', 0.9, { contradicts: true }), LABELS), 'look');
    assert.equal(pileOf(answer('good', 0.9, { image: { label: 'bad' } }), LABELS), 'look');
    const piles = triage([{ analysis: answer('bad', 0.7) }, { analysis: answer('bad', 0.9) }], LABELS);
    assert.deepEqual(piles.get('first').map(({ analysis }) => analysis.valence), [-0.9, -0.7], 'the unhappiest first');
  });

  it('a mood is the mean of what is near', () => {
    const day = 86_400_000;
    const entries = [[0, 1], [1, 0.8], [20, -1]].map(([days, valence]) => ({ at: days * day, reading: { valence } }));
    assert.ok(moodAt(entries, 0) > 0.8 && moodAt(entries, 20 * day) < -0.99);
    assert.ok(moodAt(entries, 400 * day) >= -1, 'long after, too');
  });
});

describe('the examples', () => {
  let stage;
  before(async () => {
    stage = await start();
  });
  after(() => stage?.stop());

  /** What was asked for; that the browser looks for a newer service worker is its own doing. */
  const asked = () => stage.network.requests.map(({ url }) => url).filter((url) => !url.endsWith('/sw.js'));

  async function visit(name, options) {
    const context = await stage.newContext();
    stage.network.requests.length = 0;
    const page = await newPage(context, options);
    const errors = collectErrors(page);
    await page.goto(`${stage.url}examples/${name}/index.html`);
    await seen(page, '#status[data-state=offline]');
    return { context, page, errors };
  }

  it('the comment box hints, forbids nothing and sends nothing', async () => {
    const { context, page, errors } = await visit('comments');
    const loaded = asked().length;
    await fill(page, '#comment', 'This is stupid and disgusting, I hate it and I hate you.');
    await seen(page, '#hint');
    assert.match(await textOf(page, '#hint-text'), /^This will read as negative, most of all “.+” and “.+”\. If that is what you mean, go ahead\.$/);
    await fill(page, '#comment', 'Thank you so much, I love these young trees!');
    await hidden(page, '#hint');
    await fill(page, '#comment', 'This is stupid and disgusting, I hate it and I hate you.');
    await seen(page, '#hint');
    await click(page, '#send');
    await says(page, '#comments li', 'stupid and disgusting');
    await hidden(page, '#hint');
    assert.equal(await page.$eval('#comment', (field) => field.value), '');

    await fill(page, '#comment', 'Bad.');
    await setTimeout(HINT_PAUSE);
    assert.equal(await page.$eval('#hint', (hint) => hint.hidden), true, 'one word is no comment yet');
    assert.deepEqual(asked().slice(loaded), [], 'no request at all');
    assert.deepEqual(errors, []);
    await context.close();
  });

  it('the comment box works while there is no model', async () => {
    const page = await newPage(await stage.newContext());
    stage.network.answer('/pkg/mixed-feelings-small.safetensors', { status: 503 });
    await page.goto(`${stage.url}examples/comments/index.html`);
    await seen(page, '#trouble');
    await fill(page, '#comment', 'A comment all the same');
    await click(page, '#send');
    await says(page, '#comments li', 'A comment all the same');
    stage.network.answer('/pkg/mixed-feelings-small.safetensors');
    await page.close();
  });

  it('the reviews lie on piles, one more finds its own, and one that is done is gone', async () => {
    const { context, page, errors } = await visit('reviews');
    await says(page, '#told', '16 reviews read and sorted');
    const counts = () => page.$$eval('.pile .label span', (all) => all.map((one) => Number(one.textContent)));
    const before = await counts();
    assert.equal(before.reduce((a, b) => a + b), 16);
    assert.ok(before[0] >= 2 && before[2] >= 2, `unhappy and happy guests are told apart: ${before}`);
    await fill(page, '#review', 'Filthy room, rude people, the worst night of my life. I am furious.');
    await click(page, '#form [type=submit]');
    await says(page, '#pile-first li', 'Filthy room');
    assert.equal((await counts())[0], before[0] + 1);
    await page.focus('#pile-first .plain');
    await page.keyboard.press('Enter');
    await page.waitForFunction((n) => Number(document.getElementById('count-first').textContent) === n, {}, before[0]);
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Done', 'on to the next');
    const inPile = (n) => page.evaluate((n) => document.querySelectorAll('#pile-thank li')[n].querySelector('.who').textContent, n);
    const third = await inPile(2);
    await page.$$eval('#pile-thank .plain', (all) => all[1].focus());
    await page.keyboard.press('Enter');
    await page.waitForFunction((n) => Number(document.getElementById('count-thank').textContent) === n, {}, before[2] - 1);
    assert.equal(await page.evaluate(() => document.activeElement.closest('li').querySelector('.who').textContent), third, 'the next of its pile');
    assert.deepEqual(errors, []);
    await context.close();
  });

  it('a review that is written before the model is there is read when it is', async () => {
    const context = await stage.newContext();
    const page = await newPage(context);
    const errors = collectErrors(page);
    stage.network.letThrough(0.5);
    await page.goto(`${stage.url}examples/reviews/index.html`);
    await page.waitForFunction(() => document.querySelectorAll('.pile').length === 4);
    await fill(page, '#review', 'Filthy room, rude people, the worst night of my life. I am furious.');
    await click(page, '#form [type=submit]');
    await says(page, '#told', 'as soon as the model is here');
    stage.network.letThrough(1);
    await says(page, '#pile-first li', 'Filthy room');
    assert.deepEqual(errors, []);
    await context.close();
  });

  it('the journal keeps, shows again, exports, deletes and imports, all on the device', async () => {
    const { context, page, errors } = await visit('journal');
    const loaded = asked().length;
    await fill(page, '#entry', 'What a wonderful, happy day with my friends!');
    await (await page.$('#photo input')).uploadFile(`${ROOT}www/photos/dahlia.jpg`);
    await click(page, '#keep');
    await says(page, '#entries li', 'wonderful');
    await fill(page, '#entry', 'Terrible. I am so sad and lonely.');
    await click(page, '#keep');
    await page.waitForFunction(() => document.querySelectorAll('#entries li').length === 2);
    const labels = () => page.$$eval('#entries .who em', (all) => all.map((one) => one.textContent));
    assert.deepEqual(await labels(), ['negative', 'positive'], 'the newest first');
    assert.match(await page.$eval('.curve', (svg) => svg.getAttribute('aria-label')), /^2 entries from /);
    assert.deepEqual(asked().slice(loaded), [], 'no request at all');

    await page.reload();
    await seen(page, '#status[data-state=offline]');
    await page.waitForFunction(() => document.querySelectorAll('#entries li').length === 2);
    assert.equal(await page.$eval('#entries img', (image) => image.decode().then(() => image.naturalWidth > 0)), true, 'its photo too');

    const exported = await page.evaluate(async () => {
      let blob;
      const make = URL.createObjectURL;
      URL.createObjectURL = (given) => ((blob = given), make(given));
      HTMLAnchorElement.prototype.click = () => {};
      document.getElementById('export').click();
      while (!blob) await new Promise((done) => window.setTimeout(done, 20));
      URL.createObjectURL = make;
      return blob.text();
    });
    assert.deepEqual(JSON.parse(exported).entries.map(({ photo }) => photo?.slice(0, 23) ?? null), ['data:image/jpeg;base64,', null]);

    await click(page, '#entries .quiet', 0);
    await page.waitForFunction(() => document.querySelectorAll('#entries li').length === 1);
    await click(page, '#delete');
    await seen(page, '#sure');
    await page.keyboard.press('Escape');
    await hidden(page, '#sure');
    assert.deepEqual(await labels(), ['positive'], 'nothing is deleted by turning away');
    await click(page, '#delete');
    await click(page, '#sure [value=delete]');
    await seen(page, '#empty');
    await hidden(page, '#export');
    const left = await page.evaluate(
      () => new Promise((resolve) => {
        indexedDB.open('mixed-feelings-journal').onsuccess = ({ target }) =>
          (target.result.transaction('entries').objectStore('entries').count().onsuccess = (event) => resolve(event.target.result));
      }),
    );
    assert.equal(left, 0, 'it is gone from the device');

    const give = (text) =>
      page.$eval('#import', (field, text) => {
        const files = new DataTransfer();
        files.items.add(new File([text], 'journal.json', { type: 'application/json' }));
        field.files = files.files;
        field.dispatchEvent(new Event('change', { bubbles: true }));
      }, text);
    for (const wrong of ['no journal', '{"journal":1,"entries":[{"id":1}]}', exported.replace('data:image/jpeg', 'https://elsewhere'), exported.replace(/base64,..../, 'base64,****'), exported.replace(/"at": \d+/, '"at": 1e17'), exported.replace(/"valence": [-.\d]+/, '"valence": "0"'), exported.replace(/"valence": [-.\d]+/, '"valence": null')]) {
      await give(wrong);
      await seen(page, '#trouble');
      assert.match(await textOf(page, '#trouble-text'), /no journal of this page/);
      await page.$eval('#trouble', (box) => (box.hidden = true));
    }
    await give(exported);
    await page.waitForFunction(() => document.querySelectorAll('#entries li').length === 2);
    assert.deepEqual(await labels(), ['negative', 'positive']);
    await seen(page, '#entries img');
    await page.waitForFunction(() => document.getElementById('trouble').hidden);
    const before = await page.$eval('#entries img', ({ src }) => src);
    await give(exported.replace('data:image/jpeg', 'data:application/octet-stream')); // a photo without a type
    await page.waitForFunction((before) => document.querySelector('#entries img').src !== before, {}, before);
    await hidden(page, '#trouble');
    assert.equal(await page.$eval('#entries img', (image) => image.decode().then(() => image.naturalWidth > 0)), true);
    assert.deepEqual(errors, []);
    await context.close();
  });

  it('the journal says no label that is not sure, stays where an entry was deleted, and brings it back', async () => {
    const { context, page, errors } = await visit('journal');
    const entry = (id, sure, hour) => ({ id, at: Date.UTC(2026, 5, 1, hour), text: id, photo: null, reading: { label: 'negative', valence: -0.3, ...(sure !== undefined && { sure }) } });
    const journal = JSON.stringify({ journal: 1, entries: [entry('a', false, 3), entry('b', true, 2), entry('c', undefined, 1)] });
    await page.$eval('#import', (field, text) => {
      const files = new DataTransfer();
      files.items.add(new File([text], 'journal.json', { type: 'application/json' }));
      field.files = files.files;
      field.dispatchEvent(new Event('change', { bubbles: true }));
    }, journal);
    await says(page, '#entries li', 'a');
    assert.deepEqual(await page.$$eval('#entries .who em', (all) => all.map((one) => one.textContent)), ['not sure', 'negative', 'negative']);
    await click(page, '#entries .quiet', 1);
    await page.waitForFunction(() => document.querySelectorAll('#entries li').length === 2);
    const focused = () => page.evaluate(() => document.activeElement.closest('li')?.querySelector('.review').textContent);
    assert.equal(await focused(), 'c');
    assert.match(await textOf(page, '#deleted'), /The entry of Monday.* 1 June is deleted/);
    await click(page, '#undo');
    await page.waitForFunction(() => document.querySelectorAll('#entries li').length === 3);
    assert.equal(await focused(), 'b');
    assert.equal(await page.$eval('#deleted', (line) => line.hidden), true);
    await click(page, '#entries .quiet', 1);
    await page.waitForFunction(() => document.querySelectorAll('#entries li').length === 2);
    await click(page, '#delete');
    await click(page, '#sure [value=delete]');
    await page.waitForFunction(() => document.querySelectorAll('#entries li').length === 0);
    assert.equal(await page.$eval('#deleted', (line) => line.hidden), true, 'everything means everything');
    assert.deepEqual(errors, []);
    await context.close();
  });

  it('a made-up month makes a curve, also on a phone in the dark', async () => {
    const { context, page, errors } = await visit('journal', { width: 360, height: 740, media: { 'prefers-color-scheme': 'dark' } });
    await click(page, '#month');
    await page.waitForFunction(() => document.querySelectorAll('.curve .dot').length === 21);
    assert.equal((await page.$eval('.curve .mood', (line) => line.getAttribute('points'))).split(' ').length, 121);
    const excess = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(excess <= 0, `${excess} px too wide`);
    assert.deepEqual(errors, []);
    await context.close();
  });
});
