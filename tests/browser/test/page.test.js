// The demo page with the shipped bundle, as a visitor meets it.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { EXAMPLES, creditOf } from '../../../www/examples.js';
import { collectErrors, countRequests, startBrowser } from '../lib/browser.js';
import { ROOT, startDemo } from '../lib/demo.js';
import { startSlowLine } from '../lib/slow.js';

const LABELS = ['negative', 'neutral', 'positive'];
const MOST_WORDS = 8; // in the list of those that weighed most
const AREA = /^The (upper |lower )?(left|top|middle|bottom|right) of the picture weighed most: it spoke (for|against) /;
const QUIET = 1500; // ms in which a page that still loads something would show it

describe('the demo page', () => {
  let demo;
  let browser;
  before(async () => {
    demo = await startDemo();
    browser = await startBrowser();
  });
  after(async () => {
    await browser?.close();
    await demo?.stop();
  });

  /** Opens the page in a fresh profile and waits until it says that all of it is kept for offline use. */
  async function visit(options = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const requests = countRequests(context);
    const page = await context.newPage();
    const errors = collectErrors(page);
    await page.goto(demo.url);
    await page.locator('#status[data-state=offline]').waitFor();
    return { context, page, requests, errors };
  }

  /** Waits until a reading of the post that is shown stands on the page, and returns what it says. */
  async function reading(page) {
    await page.locator('#reading[data-state=done]').waitFor();
    return page.evaluate(() => ({
      verdict: document.getElementById('verdict').textContent,
      rows: Object.fromEntries(
        [...document.querySelectorAll('#scores tbody tr')].map((row) => [
          row.dataset.reading,
          [...row.querySelectorAll('td')].map((cell) => parseInt(cell.textContent.replace(/[<>]/g, ''), 10)),
        ]),
      ),
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
    const { context, page, requests, errors } = await visit();
    for (const name of ['app.js', 'worker.js', 'engine_bg.wasm', '.safetensors', 'sw.js']) {
      assert.ok(requests.some(({ url }) => url.endsWith(name)), `the request for ${name} was counted`);
    }
    assert.ok(requests.every(({ url }) => url.startsWith(demo.url) || url.startsWith('blob:')), 'only from its own origin');
    const loaded = requests.length;

    await page.locator('#text').fill('I love this, what a wonderful and happy day!');
    const text = await reading(page);
    assert.match(text.verdict, /^The words alone feel positive\.$/);
    assert.deepEqual(Object.keys(text.rows), ['words']);
    assert.ok(text.marked.includes('love'), `love is marked: ${text.marked}`);
    assert.match(text.timing, /^Read in .* ms on this device/);
    assert.equal(text.area, '', 'without a picture nothing is said of one');
    assertHeaviestFirst(text.weights, 'positive');
    assert.ok(text.weights.some(({ word }) => word === 'love'), `love is listed: ${JSON.stringify(text.weights)}`);
    assertSane(text.rows);

    await page.locator('#text').fill('This is terrible, I am so sad and angry.');
    await page.locator('#verdict em[data-label=negative]').waitFor();

    await page.locator('#clear').click();
    await page.locator('#reading[data-state=waiting]').waitFor();
    await page.locator('#file').setInputFiles(`${ROOT}www/photos/chelsea.jpg`);
    const image = await reading(page);
    assert.match(image.verdict, /^The picture alone feels (negative|neutral|positive)\.$/);
    assert.deepEqual(Object.keys(image.rows), ['picture']);
    assert.equal(image.heat, 'true');
    assert.match(image.area, AREA);
    assert.deepEqual(image.weights, [], 'without words none is listed');
    assertSane(image.rows);

    await page.locator('#text').fill('Nothing beats coming home to this face.');
    await page.locator('#scores tr[data-reading="the post"]').waitFor();
    const both = await reading(page);
    assert.deepEqual(Object.keys(both.rows), ['words', 'picture', 'the post']);
    assert.match(both.contradiction, /^[<>]?\d+ % chance that words and picture /);
    assert.match(both.verdict, new RegExp(`^(${LABELS.join('|')}) as a whole\\.`, 'i'));
    assertSane(both.rows);

    await page.locator('#examples button').nth(4).click();
    await page.locator('#credit:not(:empty)').waitFor();
    await reading(page);

    await page.waitForTimeout(QUIET);
    const later = requests.slice(loaded).filter(({ url }) => !url.startsWith('blob:'));
    assert.deepEqual(later, [], 'no request at all once the page is loaded');
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
    for (let i = 0; i < 4; i++) {
      await page.keyboard.press('Tab');
      visited.push(await focused());
    }
    assert.deepEqual(visited.slice(0, 2), ['file', 'clear']);
    assert.ok(visited[2].includes(EXAMPLES[0].text), 'then the examples');

    await page.locator('#examples button').first().focus();
    await page.keyboard.press('Enter');
    await page.locator('#scores tr[data-reading="the post"]').waitFor();
    assert.equal(await page.locator('#text').inputValue(), EXAMPLES[0].text);
    assert.match((await reading(page)).area, AREA);

    await page.locator('#heat-toggle').focus();
    await page.keyboard.press('Space');
    assert.equal(await page.locator('#heat').getAttribute('data-shown'), 'false');
    assert.equal(await page.locator('#heat-text').textContent(), '', 'nor is the area named');
    await context.close();
  });

  it('has a name for every control and says what changes', async () => {
    const { context, page } = await visit();
    await page.locator('#examples button').first().click();
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
      meter: document.getElementById('meter').getAttribute('aria-valuetext'),
      thread: document.querySelector('.thread').getAttribute('aria-label'),
    }));
    assert.equal(roles.verdict, 'polite');
    assert.equal(roles.trouble, 'alert');
    assert.match(roles.meter, /words and picture/);
    assert.match(roles.thread, /words -?\d.*picture -?\d/);
    // The map over the photo is for the eye alone; the same is said beside it.
    assert.match(await page.locator('#photo').ariaSnapshot(), /of the picture weighed most: it spoke (for|against)/);
    await context.close();
  });

  it('names author and licence of each photo', async () => {
    const { context, page } = await visit();
    for (const [i, example] of EXAMPLES.entries()) {
      const item = page.locator('#examples li').nth(i);
      assert.equal(await item.locator('.example-credit').textContent(), `${example.author}, ${example.licence}`);
      await item.locator('button').click();
      await page.locator('#credit', { hasText: creditOf(example) }).waitFor();
      const credit = await page.locator('#credit').textContent();
      assert.ok(credit.includes(example.author) && credit.includes(example.licence), credit);
    }
    await context.close();
  });

  it('says when only the beginning of a text was read', async () => {
    const { context, page } = await visit();
    const note = page.locator('#text-note');
    await page.locator('#text').fill('such a long and happy day '.repeat(100));
    await note.waitFor();
    assert.match(await note.textContent(), /only its beginning was read/);
    assert.equal(await page.locator('#text').getAttribute('aria-describedby'), 'text-note', 'a screen reader says it too');
    await page.locator('#text').fill('a short one');
    await note.waitFor({ state: 'hidden' });
    await context.close();
  });

  it('shows how far the model has come', async (t) => {
    const line = await startSlowLine(demo.url);
    t.after(() => line.stop());
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(line.url);
    for (const percent of [0, 20, 55, 90]) {
      line.letThrough(percent / 100);
      // Waits until it is shown, too.
      const bar = page.locator(`#progress[aria-valuenow="${percent}"]`);
      await bar.waitFor();
      assert.match(await bar.getAttribute('aria-valuetext'), /^\d+\.\d of \d+\.\d megabytes$/);
      assert.match(await page.locator('#status').textContent(), /^Fetching the model: \d+\.\d of \d+\.\d MB$/);
    }
    line.letThrough(1);
    await page.locator('#status[data-state=offline]').waitFor();
    assert.ok(await page.locator('#progress').isHidden());
    await context.close();
  });

  it('opens and reads again without a network', async () => {
    const own = await startDemo();
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(own.url);
    await page.locator('#status[data-state=offline]').waitFor();
    await own.stop();
    await page.reload();
    await page.locator('#status[data-state=offline]').waitFor();
    await page.locator('#examples button').nth(3).click();
    await page.locator('#scores tr[data-reading="the post"]').waitFor();
    assert.ok((await page.locator('#picture').evaluate((image) => image.naturalWidth)) > 0, 'photos are kept too');
    await context.close();
  });

  it('explains what it cannot read and reads the next post', async () => {
    const { context, page } = await visit();
    await page.locator('#file').setInputFiles({ name: 'a.png', mimeType: 'image/png', buffer: Buffer.from('no picture') });
    await page.locator('#trouble[data-code=not-an-image]').waitFor();
    assert.match(await page.locator('#trouble-text').textContent(), /not a picture/);
    await page.locator('#text').fill('still here');
    await page.locator('#remove').click();
    await page.locator('#trouble').waitFor({ state: 'hidden' });
    assert.match((await reading(page)).verdict, /words alone/);

    await page.locator('#text').fill('much too long '.repeat(10_000));
    await page.locator('#trouble[data-code=text-too-long]').waitFor();
    await page.locator('#clear').click();
    await page.locator('#trouble').waitFor({ state: 'hidden' });

    await page.locator('#file').setInputFiles({ name: 'a.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF') });
    await page.locator('#trouble[data-code=not-an-image]').waitFor();
    await page.locator('#examples button').nth(1).click();
    await page.locator('#trouble').waitFor({ state: 'hidden' });
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
      assert.match((await reading(page)).verdict, /^The picture alone/);
      await page.locator('#clear').click();
      await page.locator('#reading[data-state=waiting]').waitFor();
    }
    await context.close();
  });

  it('shows a model that cannot be loaded kindly and tries again', async () => {
    const context = await browser.newContext({ serviceWorkers: 'block' });
    const page = await context.newPage();
    await page.route('**/*.safetensors', (route) => route.fulfill({ status: 503 }));
    await page.goto(demo.url);
    await page.locator('#trouble[data-code=bundle-fetch]').waitFor();
    assert.equal(await page.locator('#status').getAttribute('data-state'), 'failed');
    await page.unroute('**/*.safetensors');
    await page.locator('#trouble-button').click();
    await page.locator('#status[data-state=ready]').waitFor();
    await page.locator('#text').fill('back again');
    await reading(page);
    await context.close();
  });

  it('fits a phone, in the dark too, and remembers the chosen colours', async () => {
    const { context, page } = await visit({ viewport: { width: 360, height: 740 }, colorScheme: 'dark' });
    await page.locator('#examples button').first().click();
    await reading(page);
    const excess = () => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok((await excess()) <= 0, `${await excess()} px too wide`);

    const portrait = EXAMPLES.findIndex(({ photo }) => photo === 'friends.jpg');
    await page.locator('#examples button').nth(portrait).click();
    await page.locator('#credit', { hasText: creditOf(EXAMPLES[portrait]) }).waitFor();
    const stretched = await page.locator('#picture').evaluate(async (image) => {
      await image.decode();
      return (image.clientWidth * image.naturalHeight) / (image.clientHeight * image.naturalWidth);
    });
    assert.ok(Math.abs(stretched - 1) < 0.02, `a portrait is ${stretched} times as wide as it should be`);

    const endless = 'loooong'.repeat(60);
    await page.locator('#text').fill(endless);
    await page.locator('#weight-list li', { hasText: endless }).waitFor();
    assert.ok((await excess()) <= 0, `${await excess()} px too wide for a long word`);

    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await background();
    await page.locator('#theme').click();
    const light = await background();
    assert.notEqual(light, dark);
    await page.reload();
    assert.equal(await background(), light);
    await context.close();
  });
});
