// <mixed-feelings>, the element of the package, in a page with the README's content security policy and the shipped bundle.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';

import { violations } from '../lib/axe.js';
import { collectErrors, newPage, start } from '../lib/browser.js';
import { ROOT } from '../lib/demo.js';

const POLICY = /\*\*Content security policy\*\*:\s+`([^`]+)`/.exec(readFileSync(`${ROOT}pkg/docs/csp.md`, 'utf8'))?.[1].replace(/\s+/g, ' ');
const PHOTO = `${ROOT}www/photos/summer-palace.jpg`;
const HAPPY = 'What a wonderful, happy day! Thank you all so much, I love you!';
const SAD = 'This is awful and disgusting. I hate it, the worst day of my life.';
const PAUSE = 1500; // ms in which a post that is read would be

const WRAPPED = `<form id="form" action="/sent.html"><mixed-feelings><label for="text">Post</label><br>
  <textarea id="text" name="text" rows="3"></textarea><br>
  <label for="photo">Photo</label> <input id="photo" type="file" name="photo" accept="image/*"></mixed-feelings>
  <button id="send">Send</button> <button type="reset" id="reset">Reset</button></form>`;

describe('<mixed-feelings>', () => {
  let stage;
  let context;
  let page;
  let errors;
  before(async () => {
    stage = await start();
    stage.network.answer('/favicon.ico', { type: 'image/png' });
    stage.network.answer('/element.js', { type: 'text/javascript', body: "import '/pkg/dist/element.js';" });
    stage.network.answer('/sent.html', { type: 'text/html', body: '<!doctype html><title>sent</title>' });
    context = await stage.newContext();
  });
  after(() => stage?.stop());

  async function open(body, options) {
    const style = options?.style ?? '';
    // A file, since the policy allows no style in the page: that of the element does not need it.
    stage.network.answer('/page.css', { type: 'text/css', body: style });
    stage.network.answer('/element.html', {
      type: 'text/html',
      body: `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
        <meta http-equiv="Content-Security-Policy" content="${POLICY}; style-src 'self'"><title>A post</title>
        <link rel="stylesheet" href="/page.css"><script type="module" src="/element.js"></script><main><h1>A post</h1>${body}</main></html>`,
    });
    page = await newPage(context, options);
    errors = collectErrors(page);
    await page.goto(`${stage.url}element.html`);
    await page.waitForFunction(() => customElements.get('mixed-feelings'));
    await page.$eval('mixed-feelings', (element) => {
      window.told = [];
      element.addEventListener('error', ({ error }) => window.told.push({ code: error.code }));
      document.addEventListener('analysis', ({ detail, composed }) => window.told.push({ label: detail && detail.label, composed }));
    });
  }
  beforeEach(() => page?.close());

  const shows = () =>
    page.$eval('mixed-feelings', ({ shadowRoot }) => Object.fromEntries([...shadowRoot.querySelectorAll('[part]:not([part=reading])')].map((one) => [one.part.value, one.textContent])));
  const says = (part, text) =>
    page.waitForFunction((part, text) => document.querySelector('mixed-feelings').shadowRoot.querySelector(`[part=${part}]`).textContent.includes(text), {}, part, text);
  const told = () => page.evaluate(() => window.told);
  const type = async (text) => {
    await page.$eval('#text', (field) => field.select());
    await page.keyboard.type(text);
  };

  it('says what a post feels while it is typed, and follows it', async () => {
    await open(WRAPPED);
    assert.deepEqual(await shows(), { label: '', bar: '', fill: '', detail: '', note: '' });
    await type(HAPPY);
    await says('label', 'positive');
    assert.match((await shows()).detail, /^\d+%$/);
    const bar = await page.$eval('mixed-feelings', ({ shadowRoot }) => shadowRoot.querySelector('[part=bar]').ariaLabel);
    assert.match(bar, /^valence 0\.\d+/);
    assert.equal(await page.$eval('mixed-feelings', ({ analysis }) => analysis.label), 'positive');
    await type(SAD);
    await says('label', 'negative');
    assert.deepEqual((await told()).at(-1), { label: 'negative', composed: true });
    await page.$eval('#text', (field) => field.select());
    await page.keyboard.press('Backspace');
    await page.waitForFunction(() => document.querySelector('mixed-feelings').analysis === null);
    assert.deepEqual(await shows(), { label: '', bar: '', fill: '', detail: '', note: '' });
    assert.deepEqual((await told()).at(-1), { label: null, composed: true });
    assert.deepEqual(errors, []);
  });

  it('counts a photo, alone and with words, and says when the two disagree', async () => {
    await open(WRAPPED);
    await (await page.$('#photo')).uploadFile(PHOTO);
    await page.waitForFunction(() => document.querySelector('mixed-feelings').analysis?.image);
    assert.equal(await page.$eval('mixed-feelings', ({ analysis }) => analysis.text), null);
    await type(SAD);
    await says('note', 'Text and picture disagree: the words are negative, the picture is positive.');
    assert.equal(await page.$eval('mixed-feelings', ({ analysis }) => analysis.contradicts), true);
    assert.deepEqual(errors, []);
  });

  it('says what is wrong with a file, and reads the next one', async () => {
    await open(WRAPPED);
    await (await page.$('#photo')).uploadFile(`${ROOT}pkg/package.json`);
    await says('note', 'This cannot be read: ');
    await says('note', 'not an image');
    assert.deepEqual(await told(), [{ code: 'not-an-image' }]);
    assert.equal((await shows()).label, '');
    await (await page.$('#photo')).uploadFile(PHOTO);
    await page.waitForFunction(() => document.querySelector('mixed-feelings').analysis?.image);
    assert.ok(!(await shows()).note.includes('cannot'));
    assert.deepEqual(errors, []);
  });

  it('the newest input wins, older calls are given up, and an analyzer of the page is used', async () => {
    await open(WRAPPED.replace('<mixed-feelings>', '<mixed-feelings preload="none" word-positive="froh" word-unsure="unsicher">'));
    const before = stage.network.requests.length;
    await page.evaluate(async () => {
      window.calls = [];
      const half = (label) => ({ label, valence: 0.5, scores: {} });
      // Slower for what comes first, and deaf to its signal: what it says too late must not be shown.
      const analyze = ({ text }, { signal }) =>
        new Promise((resolve) => {
          window.calls.push({ text, signal });
          const sure = !text.includes('unsure');
          const answer = { ...half('positive'), confidence: 0.8, sure, text: half('positive'), image: null, contradicts: null, says: text };
          window.setTimeout(() => resolve(answer), text === 'one' ? 2000 : 0);
        });
      document.querySelector('mixed-feelings').analyzer = { analyze };
    });
    await type('one');
    await page.waitForFunction(() => window.calls.length === 1);
    await type('two');
    await says('label', 'froh');
    await setTimeout(PAUSE + 1000);
    assert.equal(await page.$eval('mixed-feelings', ({ analysis }) => analysis.says), 'two');
    assert.deepEqual(await page.evaluate(() => window.calls.map(({ text, signal }) => [text, signal.aborted])), [['one', true], ['two', false]]);
    await type('unsure');
    await says('label', 'unsicher');
    await says('detail', 'perhaps froh');
    assert.deepEqual(stage.network.requests.slice(before).filter(({ url }) => /safetensors|wasm/.test(url)), [], 'no model is loaded');
  });

  it('what a page sets before the element is defined stays, and frameworks see properties', async () => {
    await open(WRAPPED);
    const found = await page.evaluate(async () => {
      const early = document.createElement('early-feelings');
      early.words = { unsure: 'early' };
      document.body.append(early);
      const { MixedFeelingsElement } = await import('/pkg/dist/element.js');
      customElements.define('early-feelings', class extends MixedFeelingsElement {});
      return [early.words.unsure, early.analyzer, 'analyzer' in early, 'words' in early];
    });
    assert.deepEqual(found, ['early', null, true, true]);
    assert.deepEqual(errors, []);
  });

  it('the fields stay those of the form', async () => {
    await open(WRAPPED);
    await type(HAPPY);
    await says('label', 'positive');
    await page.click('#reset');
    await page.waitForFunction(() => document.querySelector('mixed-feelings').analysis === null);
    await type('Good');
    await Promise.all([page.waitForNavigation(), page.click('#send')]);
    assert.match(page.url(), /\/sent\.html\?text=Good&photo=$/);
  });

  it('marks fields elsewhere, by their ids', async () => {
    await open('<label for="text">Post</label> <input id="text"> <input id="photo" type="file" aria-label="Photo"> <input id="other" aria-label="Other"> <mixed-feelings for="text photo"></mixed-feelings>');
    await page.type('#other', SAD);
    await setTimeout(PAUSE);
    assert.deepEqual(await told(), []);
    await type(HAPPY);
    await says('label', 'positive');
    assert.deepEqual(errors, []);
  });

  it('all share one analyzer, which ends when the last element has been gone for a while', async () => {
    await open(`${WRAPPED}<mixed-feelings for="text"></mixed-feelings>`);
    await type(HAPPY);
    await page.waitForFunction(() => [...document.querySelectorAll('mixed-feelings')].every(({ analysis }) => analysis?.label === 'positive'));
    assert.equal(page.workers().length, 1);
    await page.evaluate(() => {
      const later = window.setTimeout;
      window.setTimeout = (call, ms) => later(call, ms === 30_000 ? 300 : ms); // the while
      document.querySelector('mixed-feelings[for]').remove();
      const first = document.querySelector('mixed-feelings');
      first.parentNode.append(first); // moved
    });
    await setTimeout(PAUSE);
    assert.equal(page.workers().length, 1, 'one is still there');
    const ended = new Promise((resolve) => page.once('workerdestroyed', resolve));
    await page.evaluate(() => document.querySelector('mixed-feelings').remove());
    await Promise.race([ended, setTimeout(20_000, undefined, { ref: false }).then(() => assert.fail('it never ends'))]);
    assert.deepEqual(errors, []);
  });

  it('says that it cannot be loaded, and tries again', async () => {
    stage.network.answer('/pkg/mixed-feelings-small.safetensors', { status: 503 });
    const before = context;
    context = await stage.newContext(); // nothing is cached there
    try {
      await open(WRAPPED);
      await type(HAPPY);
      await says('note', 'This cannot be read: ');
      assert.equal((await told())[0].code, 'bundle-fetch');
      stage.network.answer('/pkg/mixed-feelings-small.safetensors');
      stage.network.letThrough(0.5);
      await type(`${HAPPY} Thanks!`);
      await says('note', 'Getting ready');
      assert.match((await shows()).detail, /^\d+%$/);
      stage.network.letThrough(1);
      await says('label', 'positive');
    } finally {
      stage.network.answer('/pkg/mixed-feelings-small.safetensors');
      stage.network.letThrough(1);
      context = before;
    }
  });

  const PAPERS = {
    white: 'body { background: #fff; color: #222; font: 17px/1.5 Georgia, serif; margin: 24px }',
    black: 'body { background: #000; color: #ddd; font: 17px/1.5 system-ui; margin: 24px } textarea, input { background: #111; color: #ddd } ',
  };
  const WIDE = ' textarea { box-sizing: border-box; width: 100%; max-width: 34em; font: inherit } input { max-width: 100% } mixed-feelings { max-width: 40em }';
  for (const [paper, style] of Object.entries(PAPERS)) {
    it(`axe finds nothing on a ${paper} page, and it is small enough for a phone`, async () => {
      await open(WRAPPED, { width: 360, height: 560, style: style + WIDE, media: { 'prefers-reduced-motion': 'reduce' } });
      for (const [name, text, label, photo] of [['positive', HAPPY, 'positive'], ['negative', SAD, 'negative'], ['both', SAD, '', PHOTO]]) {
        if (photo) await (await page.$('#photo')).uploadFile(photo);
        await type(text);
        await (photo ? says('note', 'disagree') : says('label', label));
        assert.deepEqual(await violations(page), [], name);
        const excess = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        assert.ok(excess <= 0, `${excess} px too wide`);
        assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
        if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/${paper}-${name}.png` });
      }
      assert.deepEqual(errors, []);
    });
  }
});
