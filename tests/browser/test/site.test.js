// The site as a whole: every page accessible, small enough for a phone, installable, there without a network, and below any
// path of any host.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { FILES } from '../../../www/files.js';
import { violations } from '../lib/axe.js';
import { click, collectErrors, fill, newPage, says, seen, start } from '../lib/browser.js';
import { ROOT, XTASK, startDemo } from '../lib/demo.js';
import { serveStatic } from '../lib/static.js';

/** Of each page what brings it to life, and what is then to be seen. */
const PAGES = {
  './': async (page) => {
    await seen(page, '#status[data-state=offline]');
    await click(page, '#examples button');
    await seen(page, '#scores tr[data-reading="the post"]');
    await seen(page, '#views');
  },
  'many/index.html': async (page) => {
    await seen(page, '#status[data-state=offline]');
    await click(page, '#sample');
    await says(page, '#run-text', ' read in ');
    await seen(page, '#rows .answer');
  },
  'examples/index.html': (page) => seen(page, '.works h2'),
  'examples/comments/index.html': async (page) => {
    await seen(page, '#status[data-state=offline]');
    await click(page, '[data-try]');
    await seen(page, '#hint');
  },
  'examples/comments/how.html': (page) => says(page, '[data-source] code', 'export function hintFor'),
  'examples/reviews/index.html': async (page) => {
    await seen(page, '#status[data-state=offline]');
    await seen(page, '.pile li');
  },
  'examples/reviews/how.html': (page) => says(page, '[data-source] code', 'export function triage'),
  'examples/journal/index.html': async (page) => {
    await seen(page, '#status[data-state=offline]');
    await click(page, '#month');
    await seen(page, '#entries li');
  },
  'examples/journal/how.html': (page) => says(page, '[data-source] code', 'export async function openStore'),
};

const CALM = { 'prefers-reduced-motion': 'reduce' };

describe('the site', () => {
  let stage;
  before(async () => {
    stage = await start();
  });
  after(() => stage?.stop());

  for (const [path, wake] of Object.entries(PAGES)) {
    it(`${path} has nothing for axe to find, in light and dark, on a desk and on a phone, and keeps its policy`, async () => {
      for (const [scheme, width] of [['light', 1280], ['dark', 360]]) {
        const context = await stage.newContext();
        const page = await newPage(context, { width, height: 800, media: { ...CALM, 'prefers-color-scheme': scheme } });
        const errors = collectErrors(page);
        await page.goto(`${stage.url}${path}`);
        await wake(page);
        assert.deepEqual(await violations(page), [], `${scheme}, ${width} px`);
        const excess = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        assert.ok(excess <= 0, `${excess} px too wide at ${width} px`);
        const moving = await page.evaluate(() => document.getAnimations().filter(({ playState }) => playState === 'running').length);
        assert.equal(moving, 0, 'nothing moves for who wants it still');
        assert.deepEqual(errors, []);
        await context.close();
      }
    });
  }

  it('has one policy on all pages', () => {
    const policies = Object.keys(PAGES).map((path) => {
      const file = path === './' ? 'index.html' : path;
      return /content="(default-src[^"]*)"/.exec(readFileSync(`${ROOT}www/${file}`, 'utf8'))?.[1];
    });
    assert.equal(new Set(policies).size, 1, policies.join('\n'));
    assert.match(policies[0], /^default-src 'none'; script-src 'self' 'wasm-unsafe-eval';/);
    assert.doesNotMatch(policies[0], /unsafe-inline|'unsafe-eval'|\*/);
  });

  it('lists all its files', () => {
    const folder = `${ROOT}www/`;
    const files = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(folder.length));
    const none = ['404.html', 'screenshot.jpg', 'sw.js']; // for no visitor, or, the last, the browser's own business
    assert.deepEqual(FILES.toSorted(), ['./', ...files.filter((file) => !none.includes(file))].toSorted());
  });

  it('can be installed', async () => {
    const page = await newPage(await stage.newContext());
    await page.goto(stage.url);
    await seen(page, '#status[data-state=offline]');
    const session = await page.createCDPSession();
    const { installabilityErrors } = await session.send('Page.getInstallabilityErrors');
    // A private window, as tests have it, is the one reason that is no fault of the page.
    const faults = installabilityErrors.filter(({ errorId }) => errorId !== 'in-incognito');
    assert.deepEqual(faults, []);
    const { errors, data } = await session.send('Page.getAppManifest');
    assert.deepEqual(errors, []);
    const manifest = JSON.parse(data);
    for (const { src, sizes, type } of manifest.icons.filter(({ type }) => type === 'image/png')) {
      const bytes = readFileSync(`${ROOT}www/${src}`);
      assert.equal(`${bytes.readUInt32BE(16)}x${bytes.readUInt32BE(20)}`, sizes, src);
      assert.equal(type, 'image/png');
    }
    for (const { url } of manifest.shortcuts) assert.ok(FILES.includes(url), url);
    await page.close();
  });

  it('is there without a network, pages that were never visited too', async () => {
    const own = await startDemo();
    const context = await stage.newContext();
    const page = await newPage(context);
    await page.goto(own.url);
    await seen(page, '#status[data-state=offline]');
    await own.stop();
    for (const [path, wake] of Object.entries(PAGES)) {
      await page.goto(`${own.url}${path}`);
      await wake(page);
    }
    await context.close();
  });

  it('is written by `cargo demo --out` for a path of any host', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'site-'));
    const base = '/somewhere/deep/';
    let host;
    try {
      const written = spawnSync(XTASK, ['demo', '--no-build', '--out', folder, '--base', base], { encoding: 'utf8' });
      assert.equal(written.status, 0, written.stderr);
      assert.match(written.stdout, /files, \d+\.\d MB, to be served at \/somewhere\/deep\/$/m);
      host = await serveStatic(folder, base);
      const context = await stage.newContext();
      const page = await newPage(context);
      const errors = collectErrors(page);
      for (const [path, wake] of Object.entries(PAGES)) {
        await page.goto(`${host.url}${path}`);
        await wake(page);
      }
      assert.deepEqual(host.missed, [], 'everything is where it is asked for');
      assert.deepEqual(errors, []);

      await page.goto(`${host.url}no/such/page`);
      await seen(page, 'h1');
      const font = await page.evaluate(() => getComputedStyle(document.querySelector('h1')).fontFamily);
      assert.match(font, /Newsreader/, 'with its styles, at any depth');
      await click(page, '.wordmark');
      await seen(page, '#status[data-state=offline]');
      assert.equal(page.url(), host.url);

      await host.stop();
      await page.goto(host.url);
      await seen(page, '#status[data-state=offline]');
      await fill(page, '#text', 'still here, how lovely');
      await seen(page, '#reading[data-state=done]');
      await context.close();

      const again = spawnSync(XTASK, ['demo', '--no-build', '--out', folder], { encoding: 'utf8' });
      assert.notEqual(again.status, 0);
      assert.match(again.stderr, /not empty/);
    } finally {
      await host?.stop().catch(() => {});
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
