// The answer on the page of one post, looked at more closely: explained modality by modality, contradicting, timed, copied,
// and with a photo that comes while one types.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { stagesOf } from '../../../www/timing.js';
import { click, collectErrors, fill, newPage, says, seen, start, textOf } from '../lib/browser.js';
import { ROOT } from '../lib/demo.js';

const TEXT = 'This is the worst holiday ever.';
const PHOTO = `${ROOT}www/photos/summer-palace.jpg`;

/** What the page marks now: the tone and the weights of the words, and whether the photo has a map. */
const marksOf = (page) =>
  page.evaluate(() => ({
    label: document.querySelector('#marks mark')?.dataset.label ?? null,
    weights: [...document.querySelectorAll('#marks mark')].map((mark) => mark.style.getPropertyValue('--weight')),
    heat: document.getElementById('heat').dataset.shown,
    listed: document.getElementById('weight-list').childElementCount,
    title: document.getElementById('weights-title').textContent,
    note: document.getElementById('weights-note').hidden ? '' : document.getElementById('weights-note').textContent,
  }));

describe('the answer on the page', () => {
  let stage;
  let page;
  let errors;
  before(async () => {
    stage = await start();
    const context = await stage.newContext();
    await context.overridePermissions(new URL(stage.url).origin, ['clipboard-read', 'clipboard-sanitized-write']);
    page = await newPage(context);
    errors = collectErrors(page);
    await page.goto(stage.url);
    await seen(page, '#status[data-state=offline]');
  });
  after(() => stage?.stop());

  async function readBoth() {
    await fill(page, '#text', TEXT);
    await (await page.$('#file')).uploadFile(PHOTO);
    await seen(page, '#scores tr[data-reading="the post"]');
    await seen(page, '#reading[data-state=done]');
    await page.waitForSelector('#heat[data-shown=true]');
  }

  it('is explained for the post, its words and its picture, each as that answer says', async () => {
    await readBoth();
    const post = await marksOf(page);
    assert.ok(post.weights.length > 3 && post.listed > 1, JSON.stringify(post));
    assert.equal(post.note, '');

    await click(page, '#views input', 1);
    await says(page, '#weights-note', 'the words alone');
    const words = await marksOf(page);
    assert.equal(words.heat, 'false', 'the picture has no part in it');
    assert.equal(words.weights.length, post.weights.length);
    assert.notDeepEqual(words.weights, post.weights, 'the words alone weigh otherwise');
    const alone = await page.evaluate(async (text) => {
      const { createAnalyzer } = await import('/pkg/dist/index.js');
      const analyzer = await createAnalyzer({ cache: false });
      const { label, explanation } = await analyzer.analyze({ text });
      analyzer.dispose();
      const most = Math.max(...explanation.words.map(({ weight }) => Math.abs(weight)));
      return { label, weights: explanation.words.map(({ weight }) => Math.abs(weight) / most) };
    }, TEXT);
    assert.equal(words.label, alone.label);
    words.weights.forEach((weight, i) => assert.ok(Math.abs(weight - alone.weights[i]) < 1e-6, `${weight} is not ${alone.weights[i]}`));

    await click(page, '#views input', 2);
    await says(page, '#weights-note', 'of the picture weighed most');
    const picture = await marksOf(page);
    assert.deepEqual([picture.heat, picture.weights.length, picture.listed], ['true', 0, 0], JSON.stringify(picture));

    await click(page, '#views input', 0);
    await page.waitForFunction(() => document.querySelectorAll('#marks mark').length > 3);
    assert.deepEqual(await marksOf(page), post);
  });

  it('is chosen by keyboard, and gone where there is nothing to choose', async () => {
    await readBoth();
    await page.focus('#views input:checked');
    await page.keyboard.press('ArrowRight');
    await says(page, '#weights-note', 'the words alone');
    await click(page, '#remove');
    await page.waitForFunction(() => document.getElementById('views').hidden);
    await seen(page, '#marks mark');
    assert.equal((await marksOf(page)).note, '', 'the whole is explained again');
  });

  it('is copied as the package gives it', async () => {
    await readBoth();
    await click(page, '#copy');
    await says(page, '#copy', 'Copied');
    const copied = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
    assert.equal(copied.label.length > 0 && copied.explanation.words[4].text, 'holiday');
    assert.equal(copied.explanation.regions.weights.length, copied.explanation.regions.columns * copied.explanation.regions.rows);
    assert.ok(copied.timings.total > 0 && !('labels' in copied));
    await says(page, '#copy', 'Copy as JSON');
  });

  it('says what took how long', async () => {
    await click(page, '#clear');
    await readBoth();
    assert.match(await textOf(page, '#timing'), /^Read in \d+ ms on this device\.$/);
    assert.ok((await page.$$('#stages .stage-bar span')).length >= 2);
    const stages = stagesOf({ tokenize: 1, text: 8, decode: 0, image: 20, fusion: 2, total: 40 });
    assert.deepEqual(stages.map(({ name, ms }) => [name, ms]), [
      ['word pieces', 1], ['words', 8], ['looking at it', 20], ['both together', 2], ['waiting', 9],
    ]);
  });

  it('reads a photo that comes while one types, before the words are done', async () => {
    await click(page, '#clear');
    await seen(page, '#reading[data-state=waiting]');
    const input = await page.$('#file');
    // Somebody who types without a pause; nothing is read until there is one.
    await page.evaluate(() => {
      const field = document.getElementById('text');
      const key = () => {
        field.value += 'so ';
        field.dispatchEvent(new InputEvent('input', { bubbles: true }));
      };
      key();
      window.typing = setInterval(key, 30);
    });
    await input.uploadFile(PHOTO);
    await page.waitForSelector('#heat[data-shown=true]');
    const meanwhile = await page.evaluate(() => document.getElementById('reading').dataset.state);
    assert.equal(meanwhile, 'waiting', 'the post itself is not read yet');
    await page.evaluate(() => clearInterval(window.typing));
    await seen(page, '#scores tr[data-reading="the post"]');
    await click(page, '#copy');
    await says(page, '#copy', 'Copied');
    const { timings } = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
    assert.equal(timings.image, 0, `the photo was looked at already: ${JSON.stringify(timings)}`);
  });

  it('made no error', () => assert.deepEqual(errors, []));
});

describe('words and picture that contradict each other', () => {
  let stage;
  before(async () => {
    stage = await start();
  });
  after(() => stage?.stop());

  it('tear the sheet, and say so', async () => {
    const head = (label, negative, positive) => ({ label, scores: { negative, neutral: 0, positive }, valence: positive - negative });
    const answer = (contradicts) => ({
      ...head('negative', 0.9, 0.1), text: head('negative', 1, 0), image: head('positive', 0, 1), confidence: 0.9, sure: true,
      contradiction: 0.9, contradicts, truncated: false, decodedBy: 'package',
      explanation: { logit: 1, base: 0, words: [{ text: 'worst', start: 12, end: 17, weight: 1 }], regions: { columns: 1, rows: 1, weights: [1] } },
      timings: { tokenize: 1, text: 1, decode: 1, image: 1, fusion: 1, total: 5 },
    });
    const labels = [['negative', -1], ['neutral', 0], ['positive', 1]].map(([name, polarity]) => ({ name, polarity }));
    const page = await newPage(await stage.newContext());
    const body = `export const createAnalyzer = async () => ({
      labels: ${JSON.stringify(labels)},
      analyze: async ({ text = '' }) => text.includes('worst') ? ${JSON.stringify(answer(true))} : ${JSON.stringify(answer(false))},
    });`;
    stage.network.answer('/pkg/dist/index.js', { type: 'text/javascript', body });
    await page.goto(stage.url);
    await seen(page, '#status[data-state=offline]');
    await click(page, '#examples button');
    await seen(page, '.tear');
    assert.equal(await textOf(page, '#tear-text'), 'Words and picture contradict each other.');
    const string = () => page.$eval('.thread .string', (path) => getComputedStyle(path).strokeWidth);
    const thick = await string();
    await fill(page, '#text', 'a fine day');
    await page.waitForSelector('.tear', { hidden: true });
    assert.equal(await textOf(page, '#tear-text'), '');
    assert.ok(parseFloat(thick) > parseFloat(await string()), 'and the thread is under strain');
  });
});
