// A long batch in a page is read by several workers, pictures too, and answered as by one.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { openAnalyzer, openBlank, start } from '../lib/browser.js';

describe('a long batch', () => {
  let stage;
  let page;
  before(async () => {
    stage = await start();
    page = await openBlank(stage, await stage.newContext());
    await openAnalyzer(page, { cache: true, batchWorkers: 2, device: 'cpu' });
  });
  after(() => stage?.stop());

  it('is read by two workers, in its order, to the same bits', async () => {
    const found = await page.evaluate(async () => {
      const canvas = new OffscreenCanvas(300, 200);
      const context = canvas.getContext('2d');
      const photos = [];
      for (let i = 0; i < 6; i++) {
        context.fillStyle = `hsl(${i * 60} 70% 50%)`;
        context.fillRect(0, 0, 300, 200);
        photos.push(await canvas.convertToBlob({ type: 'image/png' }));
      }
      const post = (i) => ({
        text: `Number ${i} was ${['lovely', 'a mess', 'so so'][i % 3]}, and then it rained`,
        ...(i % 10 === 3 && { image: photos[(i / 10 | 0) % photos.length] }),
      });
      function* posts() {
        for (let i = 0; ; i++) yield post(i);
      }
      const same = ({ timings, ...analysis }) => JSON.stringify(analysis);
      const answers = [];
      let both = 0;
      for await (const { index, analysis, error } of analyzer.analyzeBatch(posts())) {
        if (error || index !== answers.push(same(analysis)) - 1) throw error ?? new Error(`${index} came too early`);
        if (index % 25 === 0 && !both && (await analyzer.info()).workers === 2) both = index;
        if (both && index === both + 150) break;
      }
      let different = 0;
      for (let i = 0; i < answers.length; i += 11) if (same(await analyzer.analyze(post(i))) !== answers[i]) different++;
      const { memory, workers } = await analyzer.info();
      return { both, different, memory, workers };
    });
    assert.ok(found.both > 0, 'a second worker came');
    assert.equal(found.different, 0);
    assert.equal(found.workers, 2);
    assert.ok(found.memory > 60e6, `${found.memory} bytes of two programs`);
  });
});
