#!/usr/bin/env node
// How long a page waits for the package, in turns for each of the builds that are given, because machines are never idle twice
// alike: `node tests/bench/web/opening.js [options] [FOLDER ...]`. A folder is laid out as `pkg/` is, which is the default.

import { createReadStream, existsSync, readdirSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { launch } from '../../browser/lib/launch.js';

const HELP = `node tests/bench/web/opening.js [options] [FOLDER ...]

Opens fresh pages in Chromium, in turns of one for each folder, and tells in milliseconds (median, least and most):

  import  from \`import()\` to the package's functions
  worker  from then, with \`createAnalyzer()\`, to the first word of the worker
  ready   from then to the analyzer
  whole   all of it

and how many scripts were asked for, and their bytes, on the first visit and later ones, which have bundle and programs in the cache.

  --pages N   pages for each folder, after the first (15)
  --keep      scripts may be kept (\`max-age\`); otherwise the browser asks whether they are the same still (\`no-cache\`)
  --delay N   milliseconds that each answer takes longer, as over a network (0)

Environment: CHROMIUM names the browser; otherwise it is /usr/bin/chromium.`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    pages: { type: 'string', default: '15' },
    keep: { type: 'boolean' },
    delay: { type: 'string', default: '0' },
    help: { type: 'boolean' },
  },
});
const [pages, delay] = [Number(values.pages), Number(values.delay)];
const folders = positionals.length > 0 ? positionals : [fileURLToPath(new URL('../../../pkg/', import.meta.url))];

const TYPES = { '.js': 'text/javascript', '.wasm': 'application/wasm' };
const CACHE = values.keep ? 'max-age=31536000, immutable' : 'no-cache';

/** Serves the folders as `/0/`, `/1/` and so on. `taken()` tells the scripts that were sent since the last time. */
async function startServer() {
  let sent = [];
  const server = createServer((request, response) => {
    const [, number, ...rest] = normalize(new URL(request.url, 'http://localhost').pathname).split('/');
    if (rest.join('/') === 'page.html') {
      return void response.writeHead(200, { 'Content-Type': 'text/html', 'Cache-Control': 'no-store' }).end('<!doctype html><link rel="icon" href="data:,">');
    }
    const file = folders[number] && join(folders[number], ...rest);
    if (!file || !existsSync(file)) return void response.writeHead(404).end();
    const { size, mtimeMs } = statSync(file);
    const tag = `"${size}-${mtimeMs}"`;
    const same = request.headers['if-none-match'] === tag;
    if (extname(file) === '.js') sent.push(same ? 0 : size);
    const headers = { 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream', 'Cache-Control': CACHE, ETag: tag };
    setTimeout(() => {
      if (same) response.writeHead(304, headers).end();
      else createReadStream(file).pipe(response.writeHead(200, { ...headers, 'Content-Length': size }));
    }, delay);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    taken() {
      const [scripts, bytes] = [sent.length, sent.reduce((sum, size) => sum + size, 0)];
      sent = [];
      return { scripts, bytes };
    },
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** What the page does; returns milliseconds. */
async function open() {
  let heard;
  const { Worker } = globalThis;
  globalThis.Worker = function (...given) {
    const worker = new Worker(...given);
    worker.addEventListener('message', () => (heard ??= performance.now()), { once: true });
    return worker;
  };
  const began = performance.now();
  const { createAnalyzer } = await import('./dist/index.js');
  const imported = performance.now();
  const analyzer = await createAnalyzer();
  const ready = performance.now();
  if (!analyzer.worker) throw new Error('it works without a worker');
  analyzer.dispose();
  return { import: imported - began, worker: heard - imported, ready: ready - heard, whole: ready - began };
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const told = (numbers) => `${median(numbers).toFixed(0)} (${Math.min(...numbers).toFixed(0)}–${Math.max(...numbers).toFixed(0)})`;

async function main() {
  const server = await startServer();
  const browser = await launch({ program: process.env.CHROMIUM ?? '/usr/bin/chromium' });
  const visits = folders.map(() => []);
  try {
    for (let page = 0; page <= pages; page++) {
      const order = folders.map((_, number) => number);
      for (const number of page % 2 ? order.reverse() : order) {
        const tab = await browser.newPage();
        await tab.goto(`${server.url}/${number}/page.html`);
        server.taken();
        const times = await tab.evaluate(open);
        visits[number].push({ ...times, ...server.taken() });
        await tab.close();
      }
    }
    console.log(await browser.version());
  } finally {
    await browser.close();
    server.stop();
  }
  for (const [number, [first, ...later]] of visits.entries()) {
    const published = readdirSync(join(folders[number], 'dist')).filter((name) => name.endsWith('.js')).length;
    console.log(`\n${folders[number]}: ${published} scripts in dist/`);
    const parts = ['import', 'worker', 'ready', 'whole'];
    console.log(`  first visit: ${first.scripts} scripts asked for, ${first.bytes} bytes`);
    console.log(`  ${parts.map((part) => `${part} ${first[part].toFixed(0)}`).join(', ')}`);
    if (later.length === 0) continue;
    console.log(`  later: ${median(later.map(({ scripts }) => scripts))} scripts asked for, ${median(later.map(({ bytes }) => bytes))} bytes`);
    for (const part of parts) console.log(`  ${part.padEnd(6)} ${told(later.map((visit) => visit[part]))}`);
  }
}

if (values.help) console.log(HELP);
else await main();
