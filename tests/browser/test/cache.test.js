// What a browser's own Cache Storage has of the bundle after all goes well, and after it does not.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, beforeEach, describe, it } from 'node:test';

import { analyze, openAnalyzer, openBlank, start } from '../lib/browser.js';
import { ROOT } from '../lib/demo.js';

const BUNDLE = '/pkg/mixed-feelings-small.safetensors';

describe('the cache', () => {
  let stage;
  let context;
  let page;
  const bundle = readFileSync(`${ROOT}${BUNDLE.slice(1)}`);
  const sha256 = createHash('sha256').update(bundle).digest('hex');
  before(async () => {
    stage = await start();
  });
  after(() => stage?.stop());
  beforeEach(async () => {
    await context?.close();
    context = await stage.newContext();
    page = await openBlank(stage, context);
    stage.network.letThrough(1);
    stage.network.answer(BUNDLE);
  });

  /** The SHA-256 of what the cache has, or `null`. */
  const cached = () =>
    page.evaluate(async (path) => {
      const entry = await (await caches.open('mixed-feelings')).match(new URL(path, location.href));
      if (!entry) return null;
      const digest = await crypto.subtle.digest('SHA-256', await entry.arrayBuffer());
      return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
    }, BUNDLE);

  /** Opens an analyzer over the line, whole or not; `cache` is on. */
  const open = (options) => openAnalyzer(page, { cache: true, ...options });

  /** As {@link open}, and it works. */
  async function opens(options) {
    const opened = await open(options);
    assert.ok(opened.backend, JSON.stringify(opened));
    assert.equal((await analyze(page, { text: 'a fine day' })).code, undefined);
  }

  for (const worker of [true, false]) {
    it(`has the bundle once it is loaded, ${worker ? 'in a worker' : 'in the page'}, and gives it back`, async () => {
      await opens({ worker });
      assert.equal(await cached(), sha256);
      stage.network.answer(BUNDLE, 'abort');
      await opens({ worker });
    });
  }

  it('has nothing of a bundle with another checksum, and the next call works', async () => {
    const { code } = await open({ sha256: 'f'.repeat(64) });
    assert.equal(code, 'bundle-checksum');
    assert.equal(await cached(), null);
    await opens();
    assert.equal(await cached(), sha256);
  });

  it('has nothing of a download that is aborted half-way, and the next call works', async () => {
    stage.network.letThrough(0.5);
    const outcome = await page.evaluate(async () => {
      const { createAnalyzer } = await import('/pkg/dist/index.js');
      const controller = new AbortController();
      const onProgress = ({ loaded }) => loaded > 1_000_000 && controller.abort('left');
      return createAnalyzer({ worker: false, onProgress, signal: controller.signal }).catch((reason) => reason);
    });
    assert.equal(outcome, 'left');
    assert.equal(await cached(), null);
    stage.network.letThrough(1);
    await opens();
    assert.equal(await cached(), sha256);
  });

  it('keeps what it had when a new download breaks off', async () => {
    await opens({ bundle: BUNDLE });
    assert.equal(await cached(), sha256);
    // Without a checksum the network is asked first. It announces all and gives half.
    await page.evaluate(() => {
      const whole = globalThis.fetch;
      globalThis.fetch = async (url, init) => {
        const response = await whole(url, init);
        if (!String(url).endsWith('.safetensors')) return response;
        const half = [new Uint8Array((await response.arrayBuffer()).slice(0, 10_000_000))];
        const body = new ReadableStream({
          pull(controller) {
            const chunk = half.pop();
            if (chunk) controller.enqueue(chunk);
            else controller.error(new TypeError('network error'));
          },
        });
        return new Response(body, { headers: response.headers });
      };
    });
    const { code } = await open({ bundle: BUNDLE, worker: false });
    assert.equal(code, 'bundle-fetch');
    assert.equal(await cached(), sha256);
  });
});
