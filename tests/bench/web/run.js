// Runs a job in one browser: `node run.js JOB.json RESULT.json`. The job says which; see `src/browser.rs`.

import { readFile, writeFile } from 'node:fs/promises';

import { launch as launchBrowser } from '../../browser/lib/launch.js';
import { measureContenders, measureStarts } from './devices.js';
import { startServer } from './server.js';

const [jobFile, resultFile] = process.argv.slice(2);
const job = JSON.parse(await readFile(jobFile, 'utf8'));

const server = await startServer(job);
const result = { cases: [] };
/** The fastest run of the calibration kernel so far: what an undisturbed one takes. */
let calibration = Infinity;
try {
  for (const [number, one] of job.cases.entries()) {
    console.error(`[${job.browser} ${number + 1}/${job.cases.length}] ${one.title}`);
    const measured = await inPage('measure.html', 'measure', { ...one, calibration });
    calibration = measured.calibration ?? calibration;
    result.cases.push({ id: one.id, ...measured });
    await save();
  }
  if (job.load) result.load = await measureLoad(job.load);
  if (job.starts) await measureStarts(job.starts, (result.starts = []), { withBrowser, call, save });
  if (job.webgpu) {
    result.webgpu = [];
    for (const { title, ...part } of job.webgpu) {
      const contenders = [];
      result.webgpu.push({ title, contenders });
      await measureContenders(part, contenders, { withBrowser, call, save });
    }
  }
  if (job.soak) {
    console.error(`[${job.browser}] ${job.soak.analyses} analyses`);
    const soak = await inPage('facade.html', 'soak', job.soak);
    if (!soak.failures) result.soak = soak;
  }
  if (job.batch) {
    console.error(`[${job.browser}] ${job.batch.texts} texts, one after another and as a batch`);
    const batch = await inPage('facade.html', 'batch', job.batch);
    if (!batch.failures) result.batch = batch;
  }
  await save();
} finally {
  await server.stop();
}

/** After every case: what was measured is not lost when a later one fails. */
async function save() {
  await writeFile(resultFile, JSON.stringify(result));
}

async function launch({ gpu } = {}) {
  const browser = await launchBrowser({
    name: job.browser,
    program: job.program,
    gpu,
    prefs: gpu ? { 'dom.webgpu.enabled': true, 'gfx.webgpu.ignore-blocklist': true } : {},
    args: [
      '--disable-background-timer-throttling',
      '--disable-renderer-backgrounding',
      '--enable-precise-memory-info',
      '--js-flags=--expose-gc',
    ],
  });
  result.version ??= await browser.version();
  return browser;
}

/** What `work` comes to in a browser of its own. */
async function withBrowser(options, work) {
  const browser = await launch(options);
  try {
    return await work(browser);
  } finally {
    await browser.close();
  }
}

/** Calls `window[name](argument)` in a page of a browser of its own, so that nothing is left over from the case before. */
async function inPage(page, name, argument) {
  const browser = await launch();
  try {
    return await call(await browser.newPage(), page, name, argument);
  } catch (error) {
    console.error(`  failed: ${error.message}`);
    return { contenders: [], failures: [{ name: 'all', reason: error.message }] };
  } finally {
    await browser.close();
  }
}

async function call(tab, page, name, argument) {
  tab.on('console', (message) => console.error(`  ${message.text()}`));
  tab.on('pageerror', (error) => console.error(`  ${error.message}`));
  // A machine may be busy.
  await tab.goto(`${server.url}/page/${page}`, { timeout: 0 });
  return tab.evaluate((name, argument) => window[name](argument), name, argument);
}

/** Fresh pages of one browser, the first of which fills its cache. */
async function measureLoad({ pages, ...post }) {
  const browser = await launch();
  const visits = [];
  try {
    for (let number = 0; number <= pages; number++) {
      console.error(`[${job.browser}] loading, page ${number} of ${pages}`);
      const tab = await browser.newPage();
      visits.push(await call(tab, 'facade.html', 'firstAnswer', post));
      await tab.close();
    }
  } finally {
    await browser.close();
  }
  return { first: visits[0], cached: visits.slice(1) };
}
