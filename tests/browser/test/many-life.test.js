// The page of many posts in less tidy hands: things dropped while others are opened, stopped before it began, used by keyboard,
// handed to the GPU in between.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';

import { click, collectErrors, fill, hidden, newPage, says, seen, start, textOf } from '../lib/browser.js';
import { ROOT } from '../lib/demo.js';

const MOST_OPENED = 3; // photos that may be opened at once
const SOFTWARE_PATIENCE = 300_000; // ms in which a GPU that is software must be ready

const skip = !existsSync(`${ROOT}pkg/dist/gpu/engine_bg.wasm`) && 'left out: no program for the GPU in pkg/dist';
const finished = (page) => page.waitForFunction(() => / read in /.test(document.getElementById('run-text').textContent));
const active = (page) => page.evaluate(() => document.activeElement.id);

async function visit(stage, options) {
  const page = await newPage(await stage.newContext(), options);
  const errors = collectErrors(page);
  await page.goto(`${stage.url}many/index.html`);
  return { page, errors };
}

async function ready(stage, options) {
  const visited = await visit(stage, options);
  await seen(visited.page, '#status[data-state=offline]');
  return visited;
}

async function sample(page) {
  await click(page, '#sample');
  await finished(page);
}

/** Chooses files as `{ name, type, text }` that are not on the disk. */
const give = (page, ...files) =>
  page.$eval(
    '#files',
    (field, files) => {
      const chosen = new DataTransfer();
      for (const { name, type = '', text = '' } of files) chosen.items.add(new File([text], name, { type }));
      field.files = chosen.files;
      field.dispatchEvent(new Event('change', { bubbles: true }));
    },
    files,
  );

describe('the page of many posts', () => {
  let stage;
  before(async () => (stage = await start()));
  after(() => stage?.stop());

  it('takes photos that come while a table is opened', async () => {
    const { page, errors } = await ready(stage);
    await page.evaluate(() => {
      const open = File.prototype.arrayBuffer;
      const released = new Promise((release) => (window.release = release));
      File.prototype.arrayBuffer = async function () {
        await released; // as long as a large one takes
        return open.call(this);
      };
    });
    await give(page, { name: 'posts.csv', text: 'text,photo\nhello there,a.jpg' });
    await give(page, { name: 'a.jpg', type: 'image/jpeg' });
    await page.evaluate(() => window.release());
    await says(page, '#found', 'posts.csv: 1 row, and 1 photo.');
    assert.match(await textOf(page, '#matched'), /^The photo that it names is here/);
    await give(page, { name: 'a.jpg', type: 'image/jpeg' });
    await give(page, { name: 'b.csv', text: 'text,photo\nhello again,a.jpg' });
    await click(page, '#forget');
    await hidden(page, '#setup');
    assert.deepEqual(errors, []);
    await page.close();
  });

  it('says what of many files it left out', async () => {
    const { page } = await ready(stage);
    await give(page, { name: 'notes.txt', text: 'One line.' }, { name: 'posts.csv', text: 'text\nhello there' }, { name: 'other.csv', text: 'text\nhello' }, { name: 'c.pdf' });
    await says(page, '#found', 'posts.csv: 1 row.');
    assert.match(await textOf(page, '#left'), /Left out: notes\.txt, other\.csv, c\.pdf\.$/);
    await click(page, '#forget');
    await hidden(page, '#setup');
    await give(page, { name: 'LICENCE.txt', text: 'These photos are free.' }, { name: 'empty.txt' }, { name: 'a.jpg', type: 'image/jpeg' });
    await says(page, '#found', '1 photo.');
    assert.match(await textOf(page, '#left'), /Left out: LICENCE\.txt, empty\.txt\.$/);
    await page.close();
  });

  it('keeps its answers when a text, or nothing new, is dropped', async () => {
    const { page, errors } = await ready(stage);
    await sample(page);
    const drop = (page, files) =>
      page.evaluate((files) => {
        const data = new DataTransfer();
        data.setData('text/plain', 'a text that slipped');
        for (const name of files) data.items.add(new File([''], name));
        document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
      }, files);
    await drop(page, []);
    await drop(page, ['.DS_Store']);
    await give(page, { name: 'c.pdf' });
    await seen(page, '#trouble');
    await seen(page, '#answers');
    assert.match(await textOf(page, '#run-text'), /^46 posts read in /);
    assert.deepEqual(errors, []);
    await page.close();
  });

  it('can be stopped before the model is there', async () => {
    stage.network.letThrough(0.5);
    const { page, errors } = await visit(stage);
    await click(page, '#sample');
    await seen(page, '#stop');
    await click(page, '#stop');
    await says(page, '#run-text', 'Stopped after 0 posts of 46.');
    stage.network.letThrough(1);
    await seen(page, '#status[data-state=offline]');
    assert.equal(await textOf(page, '#run-text'), 'Stopped after 0 posts of 46.', 'and stays so');
    await click(page, '#read');
    await finished(page);
    assert.deepEqual(errors, []);
    await page.close();
  });

  it('keeps the focus where it was pressed: reading, stopping, learning', async () => {
    const { page, errors } = await ready(stage);
    const lines = Array.from({ length: 3000 }, (_, i) => `Post ${i}: what a day, and it is not over yet`);
    await give(page, { name: 'posts.csv', text: `text\n${lines.join('\n')}` });
    await says(page, '#found', '3,000 rows');
    await page.focus('#read');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.activeElement.id === 'stop');
    await page.keyboard.press('Enter');
    await says(page, '#run-text', 'Stopped after');
    assert.equal(await active(page), 'read');

    await sample(page);
    const select = await page.$('#rows .correctable select');
    await select.select((await select.evaluate(({ value }) => value)) === 'positive' ? 'negative' : 'positive');
    await page.focus('#learn');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.activeElement.id === 'unlearn');
    await finished(page);
    await page.focus('#forget-learned');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.activeElement.id === 'learn', {}, 'what was corrected is there to be learned');
    await finished(page);
    assert.deepEqual(errors, []);
    await page.close();
  });

  it('keeps filter and order while it learns', async () => {
    const { page } = await ready(stage);
    await sample(page);
    await fill(page, '#search', 'festival');
    await click(page, '[data-sort=valence]');
    const select = await page.$('#rows .correctable select');
    await select.select((await select.evaluate(({ value }) => value)) === 'positive' ? 'negative' : 'positive');
    await click(page, '#learn');
    await says(page, '#lesson-text', 'It has learned from 1 correction');
    await finished(page);
    assert.equal(await page.$eval('#search', ({ value }) => value), 'festival');
    assert.match(await textOf(page, '#shown'), /^\d of 46 posts$/);
    await seen(page, 'th[aria-sort=ascending] [data-sort=valence]');
    await page.close();
  });

  it('draws the days as wide as there is room, and says how many a bar stands for', async () => {
    const { page } = await ready(stage);
    const lines = Array.from({ length: 10 }, (_, i) => `"A fine day, number ${i}",2026-0${1 + (i % 6)}-01`);
    await give(page, { name: 'posts.csv', text: `text,day\n${lines.join('\n')}` });
    await seen(page, '#read');
    await click(page, '#read');
    await finished(page);
    assert.equal(await textOf(page, '#days-title'), 'Week by week');
    assert.match(await page.$eval('.days', (svg) => svg.getAttribute('aria-label')), /^23 weeks\. Most pleasant: week of \d/);
    const widths = () => page.$eval('.days', (svg) => [svg.viewBox.baseVal.width, svg.parentNode.clientWidth]);
    const [before] = await widths();
    await page.setViewport({ width: 400, height: 800 });
    await page.waitForFunction((before) => document.querySelector('.days').viewBox.baseVal.width !== before, {}, before);
    const [drawn, room] = await widths();
    assert.equal(drawn, room);
    await page.close();
  });

  it('opens few photos at a time for its small copies', async () => {
    const { page, errors } = await ready(stage);
    const most = await page.evaluate(async () => {
      const { drawThumb } = await import('/many/thumbs.js');
      const photo = await (await fetch('/photos/coffee.jpg')).blob();
      const make = window.createImageBitmap;
      let [now, most] = [0, 0];
      window.createImageBitmap = async (source, ...rest) => {
        if (!(source instanceof Blob)) return make(source, ...rest);
        most = Math.max(most, ++now);
        return make(source, ...rest).finally(() => now--);
      };
      const canvases = Array.from({ length: 30 }, () => document.body.appendChild(document.createElement('canvas')));
      canvases.forEach((canvas, i) => drawThumb(canvas, new File([photo], `${i}.jpg`)));
      const gone = document.createElement('canvas');
      drawThumb(gone, new File([photo], 'gone.jpg'));
      const isEmpty = (canvas) => canvas.getContext('2d').getImageData(0, 0, 88, 88).data.every((value) => value === 0);
      while (canvases.some(isEmpty)) await new Promise((done) => setTimeout(done, 50));
      return { most, gone: isEmpty(gone) };
    });
    assert.ok(most.most <= MOST_OPENED, `${most.most} at once`);
    assert.ok(most.gone, 'nobody sees it');
    assert.deepEqual(errors, []);
    await page.close();
  });
});

describe('the page of many posts with a GPU', { skip }, () => {
  let stage;
  before(async () => (stage = await start({ gpu: true })));
  after(() => stage?.stop());

  it('goes on with what it has learned, whoever reads', async () => {
    const { page, errors } = await ready(stage);
    page.setDefaultTimeout(SOFTWARE_PATIENCE);
    await sample(page);
    for (const select of (await page.$$('#rows .correctable select')).slice(0, 6)) {
      await select.select((await select.evaluate(({ value }) => value)) === 'positive' ? 'negative' : 'positive');
    }
    const valences = () => page.$$eval('#rows .whole-dot', (all) => all.slice(0, 8).map(({ style }) => style.left));
    await click(page, '#learn');
    await says(page, '#lesson-text', 'It has learned from 6 corrections');
    await finished(page);
    const taught = await valences();

    await click(page, '#device input[value=webgpu]');
    await says(page, '#device-text', 'Waking the GPU');
    await click(page, '#read'); // the one that reads now is about to go
    await finished(page);
    assert.match(await textOf(page, '#device-text'), /^The GPU does not know what was learned/);
    assert.deepEqual(await valences(), taught);
    assert.equal((await page.$$('#rows .lost')).filter(Boolean).length, (await page.$$('#rows tr td:first-child .lost')).length, 'all could be read');
    await click(page, '#unlearn');
    await seen(page, '#learn');
    await finished(page);
    assert.notDeepEqual(await valences(), taught);
    await hidden(page, '#trouble');
    assert.deepEqual(errors, []);
    await page.close();
  });
});
