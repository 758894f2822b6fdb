// The demo page with the shipped bundle, as a visitor meets it.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';

import { EXAMPLES, creditOf } from '../../../www/examples.js';
import {
  attribute,
  choose,
  click,
  collectErrors,
  fill,
  hidden,
  newPage,
  says,
  seen,
  start,
  textOf,
} from '../lib/browser.js';
import { ROOT, startDemo } from '../lib/demo.js';

const BUNDLE = '/pkg/mixed-feelings-small.safetensors';
const LABELS = ['negative', 'neutral', 'positive'];
const MOST_WORDS = 8; // in the list of those that weighed most
const AREA = /^The (upper |lower )?(left|top|middle|bottom|right) of the picture weighed most: it spoke (for|against) /;
const QUIET = 1500; // ms in which a page that still loads something would show it

describe('the demo page', () => {
  let stage;
  before(async () => {
    stage = await start();
  });
  after(() => stage?.stop());

  /** Opens the page in a fresh profile and waits until it says that all of it is kept for offline use. */
  async function visit(options = {}) {
    const context = await stage.newContext();
    const { requests } = stage.network;
    requests.length = 0;
    const page = await newPage(context, options);
    const asks = []; // the page's own list, its worker's included
    page.on('request', (request) => asks.push(request.url()));
    const errors = collectErrors(page);
    await page.goto(stage.url);
    await seen(page, '#status[data-state=offline]');
    return { context, page, requests, asks, errors };
  }

  /** Waits until a reading of the post that is shown stands on the page, and returns what it says. */
  async function reading(page) {
    await seen(page, '#reading[data-state=done]');
    return page.evaluate(() => ({
      verdict: document.getElementById('verdict').textContent,
      rows: Object.fromEntries(
        [...document.querySelectorAll('#scores tbody tr')].map((row) => [
          row.dataset.reading,
          [...row.querySelectorAll('td')].map((cell) => parseInt(cell.textContent.replace(/[<>]/g, ''), 10)),
        ]),
      ),
      confidence: document.getElementById('confidence-text').textContent,
      contradiction: document.getElementById('odds').hidden ? null : document.getElementById('odds-text').textContent,
      marked: [...document.querySelectorAll('#marks mark')].map((mark) => mark.textContent),
      weights: [...document.querySelectorAll('#weight-list li')].map((item) => ({
        word: item.firstChild.textContent,
        label: item.dataset.label,
        weight: Number(item.style.getPropertyValue('--weight')),
      })),
      heat: document.getElementById('heat').dataset.shown,
      area: document.getElementById('heat-text').textContent,
      timing: document.getElementById('timing').textContent,
    }));
  }

  function assertSane(rows) {
    for (const [name, percentages] of Object.entries(rows)) {
      const sum = percentages.reduce((a, b) => a + b, 0);
      assert.ok(Math.abs(sum - 100) <= 3, `${name}: ${percentages} do not sum to 100`);
    }
  }

  /** The list of words is short, speaks of the verdict's label, and goes from the heaviest word down. */
  function assertHeaviestFirst(list, label) {
    assert.ok(list.length > 0 && list.length <= MOST_WORDS, `${list.length} words`);
    assert.ok(list.every((item) => item.label === label), JSON.stringify(list));
    const weights = list.map(({ weight }) => weight);
    assert.deepEqual(weights, weights.toSorted((a, b) => b - a));
  }

  it('reads a text, a picture, and both, and sends nothing anywhere', async () => {
    const { context, page, requests, asks, errors } = await visit();
    for (const name of ['app.js', 'worker.js', 'engine_bg.wasm', '.safetensors', 'sw.js']) {
      assert.ok(requests.some(({ url }) => url.endsWith(name)), `the request for ${name} was counted`);
    }
    // When it likes, the browser itself looks for a new service worker.
    const isOwn = (url) => !url.startsWith('blob:') && !url.endsWith('/sw.js');
    const sent = () => [...requests.map(({ url }) => url), ...asks].filter(isOwn);
    const loaded = sent();
    assert.deepEqual(loaded.filter((url) => !url.startsWith(stage.url)), [], 'only from its own origin');

    await fill(page, '#text', 'I love this, what a wonderful and happy day!');
    const text = await reading(page);
    assert.match(text.verdict, /^(The words alone feel|I am not sure\. The words alone lean) positive\.$/);
    assert.match(text.confidence, /^Of readings as confident as this one, about [<>]?\d+ % are right\./);
    assert.deepEqual(Object.keys(text.rows), ['words']);
    assert.ok(text.marked.includes('love'), `love is marked: ${text.marked}`);
    assert.match(text.timing, /^Read in .* ms on this device/);
    assert.equal(text.area, '', 'without a picture nothing is said of one');
    assertHeaviestFirst(text.weights, 'positive');
    assert.ok(text.weights.some(({ word }) => word === 'love'), `love is listed: ${JSON.stringify(text.weights)}`);
    assertSane(text.rows);

    await fill(page, '#text', 'This is terrible, I am so sad and angry.');
    await seen(page, '#verdict em[data-label=negative]');

    await click(page, '#clear');
    await seen(page, '#reading[data-state=waiting]');
    await (await page.$('#file')).uploadFile(`${ROOT}www/photos/chelsea.jpg`);
    const image = await reading(page);
    assert.match(image.verdict, /The picture alone (feels|leans) (negative|neutral|positive)\.$/);
    assert.deepEqual(Object.keys(image.rows), ['picture']);
    assert.equal(image.heat, 'true');
    assert.match(image.area, AREA);
    assert.deepEqual(image.weights, [], 'without words none is listed');
    assertSane(image.rows);

    await fill(page, '#text', 'Nothing beats coming home to this face.');
    await seen(page, '#scores tr[data-reading="the post"]');
    const both = await reading(page);
    assert.deepEqual(Object.keys(both.rows), ['words', 'picture', 'the post']);
    assert.match(both.contradiction, /^[<>]?\d+ % chance that words and picture /);
    assert.match(both.verdict, new RegExp(`^(I am not sure\\. As a whole it leans )?(${LABELS.join('|')})( as a whole)?\\. `, 'i'));
    assertSane(both.rows);

    await click(page, '#examples button', 4);
    await seen(page, '#credit:not(:empty)');
    await reading(page);

    await setTimeout(QUIET);
    assert.deepEqual(sent(), loaded, 'no request at all once the page is loaded');
    assert.deepEqual(errors, []);
    await context.close();
  });

  it('works by keyboard alone', async () => {
    const { context, page } = await visit();
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'text');
    await page.keyboard.type('What a lovely evening');
    await reading(page);

    const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.textContent);
    const visited = [];
    for (let i = 0; i < 5; i++) {
      await page.keyboard.press('Tab');
      visited.push(await focused());
    }
    assert.deepEqual(visited.slice(0, 3), ['file', 'clear', 'copy']);
    assert.ok(visited[3].includes(EXAMPLES[0].text), 'then the examples');

    await page.focus('#examples button');
    await page.keyboard.press('Enter');
    await seen(page, '#scores tr[data-reading="the post"]');
    assert.equal(await page.$eval('#text', (field) => field.value), EXAMPLES[0].text);
    assert.match((await reading(page)).area, AREA);

    await page.focus('#heat-toggle');
    await page.keyboard.press('Space');
    assert.equal(await attribute(page, '#heat', 'data-shown'), 'false');
    assert.equal(await textOf(page, '#heat-text'), '', 'nor is the area named');
    await context.close();
  });

  it('has a name for every control and says what changes', async () => {
    const { context, page } = await visit();
    await click(page, '#examples button');
    await reading(page);
    const nameless = await page.evaluate(() =>
      [...document.querySelectorAll('button, input, textarea, a[href]')]
        .filter((e) => e.checkVisibility() || e.classList.contains('hidden'))
        .filter((e) => !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.[0]?.textContent.trim()))
        .map((e) => e.outerHTML),
    );
    assert.deepEqual(nameless, []);
    const roles = await page.evaluate(() => ({
      verdict: document.getElementById('verdict').getAttribute('aria-live'),
      trouble: document.getElementById('trouble').getAttribute('role'),
      meter: document.getElementById('odds-meter').getAttribute('aria-valuetext'),
      thread: document.querySelector('.thread').getAttribute('aria-label'),
    }));
    assert.equal(roles.verdict, 'polite');
    assert.equal(roles.trouble, 'alert');
    assert.match(roles.meter, /words and picture/);
    assert.match(roles.thread, /words -?\d.*picture -?\d/);
    // The map over the photo is for the eye alone; the same is said beside it.
    const heard = await page.accessibility.snapshot({ root: await page.$('#photo'), interestingOnly: false });
    assert.match(JSON.stringify(heard), /of the picture weighed most: it spoke (for|against)/);
    await context.close();
  });

  it('names author and licence of each photo', async () => {
    const { context, page } = await visit();
    for (const [i, example] of EXAMPLES.entries()) {
      const credits = await page.$$eval('#examples .example-credit', (all) => all.map((one) => one.textContent));
      assert.equal(credits[i], `${example.author}, ${example.licence}`);
      await click(page, '#examples li button', i);
      await says(page, '#credit', creditOf(example));
      const credit = await textOf(page, '#credit');
      assert.ok(credit.includes(example.author) && credit.includes(example.licence), credit);
    }
    await context.close();
  });

  it('says when only the beginning of a text was read', async () => {
    const { context, page } = await visit();
    await fill(page, '#text', 'such a long and happy day '.repeat(100));
    await seen(page, '#text-note');
    assert.match(await textOf(page, '#text-note'), /only its beginning was read/);
    assert.equal(await attribute(page, '#text', 'aria-describedby'), 'text-note', 'a screen reader says it too');
    await fill(page, '#text', 'a short one');
    await hidden(page, '#text-note');
    await context.close();
  });

  it('shows how far the model has come', async (t) => {
    stage.network.letThrough(0);
    t.after(() => stage.network.letThrough(1));
    const context = await stage.newContext();
    const page = await newPage(context);
    await page.goto(stage.url);
    for (const percent of [0, 20, 55, 90]) {
      stage.network.letThrough(percent / 100);
      // Waits until it is shown, too.
      await seen(page, `#progress[aria-valuenow="${percent}"]`);
      assert.match(await attribute(page, '#progress', 'aria-valuetext'), /^\d+\.\d of \d+\.\d megabytes$/);
      assert.match(await textOf(page, '#status'), /^Fetching the model: \d+\.\d of \d+\.\d MB$/);
    }
    stage.network.letThrough(1);
    await seen(page, '#status[data-state=offline]');
    await hidden(page, '#progress');
    await context.close();
  });

  it('opens and reads again without a network', async () => {
    const own = await startDemo();
    const context = await stage.newContext();
    const page = await newPage(context);
    await page.goto(own.url);
    await seen(page, '#status[data-state=offline]');
    await own.stop();
    await page.reload();
    await seen(page, '#status[data-state=offline]');
    await click(page, '#examples button', 3);
    await seen(page, '#scores tr[data-reading="the post"]');
    assert.ok((await page.$eval('#picture', (image) => image.naturalWidth)) > 0, 'photos are kept too');
    await context.close();
  });

  it('explains what it cannot read and reads the next post', async () => {
    const { context, page } = await visit();
    await choose(page, '#file', { name: 'a.png', type: 'image/png', text: 'no picture' });
    await seen(page, '#trouble[data-code=not-an-image]');
    assert.match(await textOf(page, '#trouble-text'), /not a picture/);
    await fill(page, '#text', 'still here');
    await click(page, '#remove');
    await hidden(page, '#trouble');
    assert.match((await reading(page)).verdict, /words alone/);

    await fill(page, '#text', 'much too long '.repeat(10_000));
    await seen(page, '#trouble[data-code=text-too-long]');
    await click(page, '#clear');
    await hidden(page, '#trouble');

    await choose(page, '#file', { name: 'a.pdf', type: 'application/pdf', text: '%PDF' });
    await seen(page, '#trouble[data-code=not-an-image]');
    await click(page, '#examples button', 1);
    await hidden(page, '#trouble');
    await context.close();
  });

  it('takes a photo that is dropped or pasted', async () => {
    const { context, page } = await visit();
    for (const kind of ['drop', 'paste']) {
      await page.evaluate(async (kind) => {
        const blob = await (await fetch('photos/coffee.jpg')).blob();
        const data = new DataTransfer();
        data.items.add(new File([blob], 'coffee.jpg', { type: 'image/jpeg' }));
        const event =
          kind === 'drop'
            ? new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })
            : new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true });
        document.body.dispatchEvent(event);
      }, kind);
      assert.match((await reading(page)).verdict, /The picture alone/);
      await click(page, '#clear');
      await seen(page, '#reading[data-state=waiting]');
    }
    await context.close();
  });

  it('shows a model that cannot be loaded kindly and tries again', async (t) => {
    const context = await stage.newContext();
    const page = await newPage(context);
    stage.network.answer(BUNDLE, { status: 503 });
    t.after(() => stage.network.answer(BUNDLE));
    await page.goto(stage.url);
    await seen(page, '#trouble[data-code=bundle-fetch]');
    assert.equal(await attribute(page, '#status', 'data-state'), 'failed');
    stage.network.answer(BUNDLE);
    await click(page, '#trouble-button');
    await seen(page, '#status[data-state=offline]');
    await fill(page, '#text', 'back again');
    await reading(page);
    await context.close();
  });

  it('an example that comes late takes nothing from whoever writes on', async () => {
    const context = await stage.newContext();
    const page = await newPage(context);
    const errors = collectErrors(page);
    await page.evaluateOnNewDocument(() => {
      const { fetch } = window;
      const released = new Promise((release) => (window.release = release));
      window.fetch = async (url, ...rest) => {
        if (String(url).includes('photos/')) await released;
        return fetch(url, ...rest);
      };
    });
    await page.goto(stage.url);
    await seen(page, '#examples button');
    await click(page, '#examples button');
    await fill(page, '#text', 'my own words');
    await page.evaluate(() => window.release());
    await seen(page, '#status[data-state=offline]');
    await reading(page);
    assert.equal(await page.$eval('#text', ({ value }) => value), 'my own words');
    await hidden(page, '#photo');
    assert.deepEqual(errors, []);
    await context.close();
  });

  it('fits a phone, in the dark too, and remembers the chosen colours', async () => {
    const { context, page } = await visit({ width: 360, height: 740, media: { 'prefers-color-scheme': 'dark' } });
    await click(page, '#examples button');
    await reading(page);
    const excess = () => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok((await excess()) <= 0, `${await excess()} px too wide`);

    const portrait = EXAMPLES.findIndex(({ photo }) => photo === 'friends.jpg');
    await click(page, '#examples button', portrait);
    await says(page, '#credit', creditOf(EXAMPLES[portrait]));
    const stretched = await page.$eval('#picture', async (image) => {
      await image.decode();
      return (image.clientWidth * image.naturalHeight) / (image.clientHeight * image.naturalWidth);
    });
    assert.ok(Math.abs(stretched - 1) < 0.02, `a portrait is ${stretched} times as wide as it should be`);

    const endless = 'loooong'.repeat(60);
    await fill(page, '#text', endless);
    await says(page, '#weight-list li', endless);
    assert.ok((await excess()) <= 0, `${await excess()} px too wide for a long word`);

    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await background();
    await click(page, '#theme');
    const light = await background();
    assert.notEqual(light, dark);
    await page.reload();
    assert.equal(await background(), light);
    await context.close();
  });
});
