// Signals in a page: what is given up rejects before the page does anything else, wherever it is, and the next call works.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { openAnalyzer, openBlank, start } from '../lib/browser.js';

for (const worker of [true, false]) {
  describe(`giving up, ${worker ? 'in a worker' : 'in the page\'s thread'}`, () => {
    let stage;
    let page;
    before(async () => {
      stage = await start();
      page = await openBlank(stage, await stage.newContext());
      assert.equal((await openAnalyzer(page, { worker, cache: true })).worker, worker);
      await page.evaluate(async () => {
        const canvas = new OffscreenCanvas(4000, 3000);
        const context = canvas.getContext('2d');
        for (let i = 0; i < 3000; i++) {
          context.fillStyle = `hsl(${i % 360} 60% ${(i * 7) % 100}%)`;
          context.fillRect((i * 61) % 4000, (i * 37) % 3000, 150, 90);
        }
        window.jpeg = await canvas.convertToBlob({ type: 'image/jpeg' });
        window.png = await canvas.convertToBlob({ type: 'image/png' });
        window.shown = Object.assign(new Image(), { src: URL.createObjectURL(window.jpeg) });
        await window.shown.decode();
        window.long = 'a long way home in the rain, and nobody there '.repeat(40);
        const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
        /** Starts `work(signal)`, aborts after `ms`: what came of it in the very next task, and how long the next text took. */
        window.given = async (work, ms) => {
          const abort = new AbortController();
          const call = work(abort.signal);
          let seen = 'nothing';
          call.then(() => (seen = 'answered'), (error) => (seen = error));
          await wait(ms);
          const answered = seen;
          const reason = new Error('left');
          const { port1, port2 } = new MessageChannel();
          const next = new Promise((resolve) => (port1.onmessage = resolve));
          abort.abort(reason);
          port2.postMessage('next');
          await next;
          port1.close();
          const began = performance.now();
          await window.analyzer.analyze({ text: `the next ${Math.random()}` });
          return { rejected: seen === reason, answered: answered === 'answered', waited: performance.now() - began };
        };
      });
    });
    after(() => stage?.stop());

    const works = {
      'a JPEG of 12 megapixels': (signal) => window.analyzer.analyze({ image: new Blob([window.jpeg]) }, { signal }),
      'a PNG of 12 megapixels': (signal) => window.analyzer.analyze({ image: new Blob([window.png]) }, { signal }),
      'an <img> of 12 megapixels': (signal) => window.analyzer.analyze({ image: window.shown }, { signal }),
      'a long text': (signal) => window.analyzer.analyze({ text: window.long }, { signal }),
      'a batch': async (signal) => {
        const posts = Array.from({ length: 200 }, (_, i) => ({ text: `${i} ${window.long}`, image: i % 5 ? null : new Blob([window.png]) }));
        for await (const { error } of window.analyzer.analyzeBatch(posts, { signal })) if (error) throw error;
      },
    };
    for (const [name, work] of Object.entries(works)) {
      it(name, async (t) => {
        let longest = 0;
        for (const ms of [0, 1, 3, 10, 30, 60, 100, 200]) {
          const { rejected, answered, waited } = await page.evaluate((work, ms) => window.given(eval(`(${work})`), ms), String(work), ms);
          longest = Math.max(longest, waited);
          assert.ok(rejected || answered, `after ${ms} ms it went on`);
        }
        t.diagnostic(`the next text took ${longest.toFixed(0)} ms at most`);
      });
    }

    it('opening', async () => {
      const outcomes = await page.evaluate(async (worker) => {
        const { createAnalyzer } = await import('/pkg/dist/index.js');
        const outcomes = [];
        for (const ms of [0, 1, 3, 10, 30, 60, 100, 200, 400]) {
          const work = (signal) => createAnalyzer({ worker, signal }).then((analyzer) => analyzer.dispose());
          outcomes.push(await window.given(work, ms));
        }
        return outcomes;
      }, worker);
      for (const { rejected, answered } of outcomes) assert.ok(rejected || answered, JSON.stringify(outcomes));
      assert.ok(outcomes[0].rejected);
    });
  });
}
