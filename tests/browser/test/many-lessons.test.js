// Corrections made in the table teach the model, on this device, and can be undone.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { click, collectErrors, hidden, newPage, seen, start, textOf } from '../lib/browser.js';

describe('the table of many posts', () => {
  let stage;
  before(async () => (stage = await start()));
  after(async () => stage?.stop());

  const finished = (page) => page.waitForFunction(() => / read in /.test(document.getElementById('run-text').textContent));

  async function visit(context) {
    const page = await newPage(context);
    const errors = collectErrors(page);
    await page.goto(`${stage.url}many/index.html`);
    await seen(page, '#status[data-state=offline]');
    return { page, errors };
  }

  async function sample(page) {
    await click(page, '#sample');
    await finished(page);
  }

  /** The labels and scores of the first rows, as the file has them. */
  const answers = (page) =>
    page.evaluate(async () => {
      let blob;
      const make = URL.createObjectURL;
      URL.createObjectURL = (given) => ((blob = given), make(given));
      const press = HTMLAnchorElement.prototype.click;
      HTMLAnchorElement.prototype.click = () => {};
      document.getElementById('json').click();
      Object.assign(URL, { createObjectURL: make });
      HTMLAnchorElement.prototype.click = press;
      return JSON.parse(await blob.text()).map(({ number, label, valence }) => [number, label, valence]);
    });

  it('learns from corrections, goes on with them at the next visit, and forgets', async () => {
    const context = await stage.newContext();
    const { page, errors } = await visit(context);
    await sample(page);
    const shipped = await answers(page);
    await hidden(page, '#lesson');

    // Whatever it said, it was something else.
    const selects = await page.$$('#rows .correctable select');
    for (const select of selects.slice(0, 6)) {
      const now = await select.evaluate((one) => one.value);
      await select.select(now === 'positive' ? 'negative' : 'positive');
    }
    assert.equal(await textOf(page, '#learn'), 'Learn from 6 corrections');
    assert.equal((await page.$$eval('#rows small', (all) => all.filter((one) => one.textContent === ' yours'))).length, 6);
    await click(page, '#learn');
    await page.waitForFunction(() => /It has learned from 6 corrections/.test(document.getElementById('lesson-text').textContent));
    await finished(page);
    const taught = await answers(page);
    assert.notDeepEqual(taught, shipped);
    await hidden(page, '#learn');
    await page.close();

    const next = await visit(context);
    await sample(next.page);
    assert.match(await textOf(next.page, '#lesson-text'), /It has learned from 6 corrections, kept on this device only/);
    assert.deepEqual(await answers(next.page), taught);
    await click(next.page, '#forget-learned');
    await hidden(next.page, '#lesson');
    await finished(next.page);
    assert.deepEqual(await answers(next.page), shipped);
    await next.page.close();

    const last = await visit(context);
    await sample(last.page);
    assert.deepEqual(await answers(last.page), shipped);
    await hidden(last.page, '#lesson');
    assert.deepEqual([errors, next.errors, last.errors], [[], [], []]);
    await last.page.close();
  });

  it('takes one correction back without learning, and one that was learned', async () => {
    const { page, errors } = await visit(await stage.newContext());
    await sample(page);
    const shipped = await answers(page);
    const select = await page.$('#rows .correctable select');
    const said = await select.evaluate((one) => one.value);
    await select.select(said === 'positive' ? 'negative' : 'positive');
    await seen(page, '#learn');
    await select.select(said);
    await hidden(page, '#lesson');
    await select.select(said === 'positive' ? 'negative' : 'positive');
    await click(page, '#learn');
    await seen(page, '#unlearn');
    await finished(page);
    await click(page, '#unlearn');
    await seen(page, '#learn');
    await finished(page);
    assert.deepEqual(await answers(page), shipped);
    assert.deepEqual(errors, []);
    await page.close();
  });
});
