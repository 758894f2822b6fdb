// The page of many posts, as somebody uses it who has a table, or a folder of photos, or neither.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { parseRows } from '../../../www/many/csv.js';
import { click, collectErrors, fill, hidden, newPage, says, seen, start, textOf } from '../lib/browser.js';
import { ROOT } from '../lib/demo.js';

const MOST_ROWS = 40; // of the table that are there at a time: those in sight and a few beside

describe('the page of many posts', () => {
  let stage;
  let folder;
  before(async () => {
    stage = await start();
    folder = mkdtempSync(join(tmpdir(), 'many-'));
  });
  after(async () => {
    await stage?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function visit(options) {
    const page = await newPage(await stage.newContext(), options);
    const errors = collectErrors(page);
    await page.goto(`${stage.url}many/index.html`);
    await seen(page, '#status[data-state=offline]');
    return { page, errors };
  }

  /** Writes a file and chooses it, with others. */
  async function give(page, name, text, ...others) {
    const path = join(folder, name);
    writeFileSync(path, text);
    await (await page.$('#files')).uploadFile(path, ...others);
    await seen(page, '#setup');
  }

  const finished = (page) => page.waitForFunction(() => / read in /.test(document.getElementById('run-text').textContent));

  const rowsOf = (page) =>
    page.$$eval('#rows tr', (rows) =>
      rows.map((row) => ({
        number: Number(row.getAttribute('aria-rowindex')),
        text: row.querySelector('.open').textContent,
        label: row.querySelector('.answer')?.textContent ?? null,
        photo: Boolean(row.querySelector('canvas')),
        contradiction: row.querySelector('.contradiction-cell').textContent,
        day: row.querySelector('.day-cell').textContent,
      })),
    );

  /** What would be saved when `selector` is pressed: its name and its text. */
  const saved = (page, selector) =>
    page.evaluate(async (selector) => {
      let blob;
      let name;
      const make = URL.createObjectURL;
      URL.createObjectURL = (given) => ((blob = given), make(given));
      const click = HTMLAnchorElement.prototype.click;
      HTMLAnchorElement.prototype.click = function () {
        name = this.download;
      };
      document.querySelector(selector).click();
      Object.assign(URL, { createObjectURL: make });
      HTMLAnchorElement.prototype.click = click;
      const bytes = new Uint8Array(await blob.arrayBuffer());
      return { name, text: new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes) };
    }, selector);

  it('reads a table as the package does, matches photos, and gives both as CSV and JSON', async () => {
    const { page, errors } = await visit();
    const table = [
      'Datum;Beitrag;Bild',
      '31.05.2026;"I love this; what a happy, wonderful day!";COFFEE.JPG',
      '01.06.2026;"I hate this.\nThe ""worst"" day of my life.";',
      '01.06.2026;The office opens at nine.;lost.png',
      ';=1+1 is what she said, how sad;',
    ].join('\r\n');
    await give(page, 'posts.csv', `\ufeff${table}`, `${ROOT}www/photos/coffee.jpg`);
    assert.match(await textOf(page, '#found'), /^posts\.csv: 4 rows, and 1 photo\.$/);
    assert.match(await textOf(page, '#matched'), /^1 photo of 2 not here/);
    const chosen = await page.$$eval('#fields select', (all) => all.map((one) => one.selectedOptions[0].textContent));
    assert.deepEqual(chosen, ['Beitrag', 'Bild', 'Datum']);
    assert.equal(await textOf(page, '#read'), 'Read 4 posts');
    await click(page, '#read');
    await finished(page);

    const rows = await rowsOf(page);
    assert.deepEqual(rows.map(({ label }) => label).slice(0, 3), ['positive', 'negative', 'neutral']);
    assert.deepEqual(rows.map(({ photo }) => photo), [true, false, false, false]);
    assert.deepEqual(rows.map(({ day }) => day), ['31 May 2026', '1 Jun 2026', '1 Jun 2026', '']);
    assert.match(rows[0].contradiction, /^[<>]?\d+ %$/);

    const csv = await saved(page, '#csv');
    assert.equal(csv.name, 'posts-read.csv');
    const [head, ...body] = parseRows(csv.text, ',').map((cells) => cells);
    const column = (name) => body.map((cells) => cells[head.indexOf(name)]);
    assert.equal(column('text')[1], 'I hate this.\nThe "worst" day of my life.', 'quotes and line ends come back');
    assert.equal(column('text')[3], "'=1+1 is what she said, how sad", 'no formula');
    assert.deepEqual(column('problem'), ['', '', 'image missing', '']);
    assert.ok(csv.text.startsWith('\ufeff'), 'for spreadsheets');

    const json = JSON.parse((await saved(page, '#json')).text);
    const expected = await page.evaluate(async (texts) => {
      const { createAnalyzer } = await import('/pkg/dist/index.js');
      const analyzer = await createAnalyzer({ cache: false });
      const image = await (await fetch('/photos/coffee.jpg')).blob();
      const answers = [];
      for (const [i, text] of texts.entries()) answers.push(await analyzer.analyze({ text, ...(i === 0 && { image }) }));
      analyzer.dispose();
      return answers.map(({ label, valence, text, image, contradiction }) => [label, valence, text.valence, image?.valence ?? null, contradiction]);
    }, json.map(({ text }) => text));
    const round = (value) => (typeof value === 'number' ? Math.round(value * 1e4) / 1e4 : value);
    assert.deepEqual(
      json.map((one) => [one.label, one.valence, one.text_valence, one.image_valence, one.contradiction]),
      expected.map((values) => values.map(round)),
    );
    assert.deepEqual(errors, []);
    await page.close();
  });

  it('tries made-up posts: charts, filters, sorting, search, and one looked at closer', async () => {
    const { page, errors } = await visit();
    await click(page, '#sample');
    await finished(page);
    const shares = await page.$$eval('#shares .share', (all) => all.map((one) => [one.value, parseInt(one.querySelector('.number').textContent, 10)]));
    assert.deepEqual(shares.map(([name]) => name), ['negative', 'neutral', 'positive']);
    assert.equal(shares.reduce((sum, [, number]) => sum + number, 0), 46);
    assert.match(await page.$eval('#quadrant', (canvas) => canvas.getAttribute('aria-label')), /^9 posts with words and a picture\. .*both pleasant: \d/);
    assert.match(await page.$eval('.days', (svg) => svg.getAttribute('aria-label')), /^15 days\. Most pleasant: \d+ Jun 2026\./);
    const painted = await page.$eval('#quadrant', (canvas) => {
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      return new Set(new Uint32Array(data.buffer)).size;
    });
    assert.ok(painted > 3, 'axes and dots are there');

    await click(page, '#shares .share', 0);
    await says(page, '#shown', `${shares[0][1]} of 46 posts`);
    await page.waitForFunction((n) => document.querySelectorAll('#rows tr').length <= n, {}, shares[0][1]);
    assert.ok((await rowsOf(page)).every(({ label }) => label === 'negative'));
    assert.equal(JSON.parse((await saved(page, '#json')).text).length, shares[0][1], 'what is filtered is what is saved');
    await click(page, '#shares .share', 0);
    await says(page, '#shown', '46 posts');

    await fill(page, '#search', 'FESTIVAL');
    await page.waitForFunction(() => [...document.querySelectorAll('#rows .open')].every((open) => /festival/i.test(open.textContent)));
    await fill(page, '#search', '');

    await click(page, '[data-sort=valence]');
    await page.waitForSelector('th[aria-sort=ascending] [data-sort=valence]');
    await page.waitForFunction(() => document.querySelector('#rows .answer').textContent === 'negative');
    await click(page, '[data-sort=valence]');
    await page.waitForSelector('th[aria-sort=descending] [data-sort=valence]');
    await page.waitForFunction(() => document.querySelector('#rows .answer').textContent === 'positive');

    await page.focus('#rows .open');
    const text = await textOf(page, '#rows .open');
    await page.keyboard.press('Enter');
    await seen(page, '#closer mark');
    assert.equal(await textOf(page, '#closer-text'), text);
    assert.match(await textOf(page, '#closer-verdict'), /positive/i);
    await page.keyboard.press('Escape');
    await hidden(page, '#closer');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), text, 'back where one was');
    assert.deepEqual(errors, []);
    await page.close();
  });

  it('stays light with a thousand posts, and stops when it is told to', async () => {
    const { page, errors } = await visit();
    const lines = Array.from({ length: 1000 }, (_, i) => `${i + 1},"Post ${i + 1}: ${i % 2 ? 'I am so happy today' : 'I am so sad today'}"`);
    await give(page, 'thousand.csv', `id,text\n${lines.join('\n')}\n`);
    await click(page, '#read');
    await page.waitForFunction(() => Number(document.getElementById('run-meter').getAttribute('aria-valuenow')) >= 1);
    const scrolled = await page.evaluate(async () => {
      const grid = document.getElementById('grid');
      const counts = [];
      for (let i = 0; i <= 20; i++) {
        grid.scrollTop = (grid.scrollHeight * i) / 20;
        await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        counts.push(document.querySelectorAll('#rows tr').length);
      }
      return { most: Math.max(...counts), last: [...document.querySelectorAll('#rows .open')].at(-1).textContent };
    });
    assert.ok(scrolled.most <= MOST_ROWS, `${scrolled.most} rows are there at once`);
    assert.match(scrolled.last, /^Post 1000: /);
    await click(page, '#stop');
    await says(page, '#run-text', 'Stopped after');
    const stopped = await textOf(page, '#run-text');
    assert.match(stopped, /^Stopped after \d+ posts? of 1,000\.$/);
    const read = Number(/\d+/.exec(stopped)[0]);
    const json = JSON.parse((await saved(page, '#json')).text);
    assert.equal(json.filter(({ label }) => label).length, read, 'what was read is kept');
    assert.equal(json.at(-1).problem, 'not read');

    await click(page, '#read');
    await finished(page);
    const again = JSON.parse((await saved(page, '#json')).text);
    assert.ok(again.every(({ label }, i) => label === (i % 2 ? 'positive' : 'negative')), 'all of them, each in its place');
    assert.deepEqual(errors, []);
    await page.close();
  });

  it('reads photos without a table, and says which cannot be read', async () => {
    const { page } = await visit();
    await give(page, 'broken.jpg', 'no picture', `${ROOT}www/photos/dahlia.jpg`);
    assert.match(await textOf(page, '#found'), /^2 photos\.$/);
    await click(page, '#read');
    await finished(page);
    const json = JSON.parse((await saved(page, '#json')).text);
    assert.deepEqual(json.map(({ image, problem }) => [image, problem]).sort(), [['broken.jpg', 'not-an-image'], ['dahlia.jpg', null]]);
    await page.$$eval('#chips button', (all) => all.find((one) => one.value === 'failed').click());
    await says(page, '#shown', '1 of 2 posts');
    await page.close();
  });

  it('says what is wrong with a file, and takes the next', async () => {
    const { page } = await visit();
    const path = join(folder, 'broken.jsonl');
    writeFileSync(path, '{"text": "fine"}\n{"text": ');
    await (await page.$('#files')).uploadFile(path);
    await seen(page, '#trouble');
    assert.match(await textOf(page, '#trouble-text'), /Line 2 of broken\.jsonl is not JSON/);
    await give(page, 'right.jsonl', '{"text": "fine"}\n');
    await hidden(page, '#trouble');
    await page.close();
  });

  it('takes a folder that is dropped, and fits a phone', async () => {
    const { page } = await visit({ width: 360, height: 740, media: { 'prefers-color-scheme': 'dark' } });
    await page.evaluate(() => {
      const data = new DataTransfer();
      data.items.add(new File(['text,day\nHow lovely,2026-05-01\nHow awful,2026-05-02'], 'a.csv', { type: 'text/csv' }));
      document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
    });
    await seen(page, '#read');
    await click(page, '#read');
    await finished(page);
    const excess = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(excess <= 0, `${excess} px too wide`);
    await page.close();
  });
});
