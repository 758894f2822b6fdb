// Pages without a bundler: every place of a page in every browser, from the package's folder as npm installs it.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { BROWSERS, needs } from '../lib/browsers.js';
import { againFromCache, inPage } from '../lib/page.js';
import { ROOT } from '../lib/project.js';
import { sample } from '../lib/samples.js';
import { serve } from '../lib/serve.js';

const GROUP = 'Browsers, without a bundler';
const PACKAGE = '/node_modules/mixed-feelings/dist/index.js';

/** The content security policy that the package's documentation recommends. */
export const POLICY = /\*\*Content security policy\*\*:\s+`([^`]+)`/
  .exec(readFileSync(join(ROOT, 'pkg/docs/csp.md'), 'utf8'))[1]
  .replace(/\s+/g, ' ');

/** A page with these elements in its head. */
const html = (...head) => `<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <title>a consumer</title>
  ${head.join('\n  ')}
</html>
`;

const importMap = (url) => `<script type="importmap">{ "imports": { "mixed-feelings": "${url}" } }</script>`;
const script = (name) => `<script type="module" src="./${name}"></script>`;

/** What a script of a page, or a worker, begins with. */
const imports = `import { createAnalyzer } from '${PACKAGE}';
import { outcome } from './consumer.js';
`;

/** A page that asks its service worker. */
const askOf = (worker, options) => `async function ask() {
  const registration = await navigator.serviceWorker.register('${worker}', ${JSON.stringify(options)});
  const starting = registration.active ?? registration.waiting ?? registration.installing;
  const { port1, port2 } = new MessageChannel();
  const answer = new Promise((resolve) => (port1.onmessage = ({ data }) => resolve(data)));
  starting.postMessage('answer', [port2]);
  return answer;
}
window.outcome = ask().catch((error) => ({ error: String(error) }));
`;

/** The service worker's side of it. */
const ANSWERS = `self.onmessage = (event) => {
  const [port] = event.ports;
  event.waitUntil(outcome(createAnalyzer).then((answer) => port.postMessage(answer)));
};
`;

/** Each place: how its page is written and served. */
const PLACES = {
  page: {
    title: 'a page with an import map',
    files: { 'index.html': html(importMap(PACKAGE), script('page.js')) },
    visits: [againFromCache],
  },
  csp: {
    title: "a page under the documented content security policy",
    files: { 'index.html': html(script('own.js')), 'own.js': `${imports}window.outcome = outcome(createAnalyzer);\n` },
    headers: { 'Content-Security-Policy': POLICY },
    visits: [againFromCache],
  },
  isolated: {
    title: 'a cross-origin isolated page',
    files: { 'index.html': html(importMap(PACKAGE), script('page.js')) },
    headers: { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' },
  },
  worker: {
    title: "a dedicated worker of the page's own",
    files: {
      'index.html': html(script('own.js')),
      'own.js': `const worker = new Worker('./in-worker.js', { type: 'module' });
window.outcome = new Promise((resolve) => {
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = ({ message }) => resolve({ error: message });
});
`,
      'in-worker.js': `${imports}postMessage(await outcome(createAnalyzer));\n`,
    },
  },
  shared: {
    title: 'a shared worker',
    files: {
      'index.html': html(script('own.js')),
      'own.js': `window.outcome = new Promise((resolve) => {
  const worker = new SharedWorker('./in-shared.js', { type: 'module' });
  worker.port.onmessage = ({ data }) => resolve(data);
  worker.onerror = ({ message }) => resolve({ error: message ?? 'the shared worker does not start' });
});
`,
      'in-shared.js': `${imports}self.onconnect = async ({ ports: [port] }) => port.postMessage(await outcome(createAnalyzer));\n`,
    },
  },
  service: {
    title: 'a service worker that is a module',
    files: {
      'index.html': html(script('own.js')),
      'own.js': askOf('./in-service.js', { type: 'module' }),
      'in-service.js': imports + ANSWERS,
    },
  },
  offline: {
    title: 'offline on the second visit, with a service worker that keeps the scripts',
    files: {
      'index.html': html(importMap(PACKAGE), script('own.js')),
      // The package keeps its programs and weights itself; scripts are the page's affair.
      'own.js': `import { createAnalyzer } from 'mixed-feelings';
import { outcome } from './consumer.js';
async function visit() {
  await navigator.serviceWorker.register('./keeps.js');
  await navigator.serviceWorker.ready;
  return outcome(createAnalyzer);
}
window.outcome = visit();
`,
      // Under automation WebKit has its caches in memory, and forgets what is in one that nothing has open.
      'keeps.js': `${sample('offline.md', 'keeps.js')}\nself.held = caches.open('mixed-feelings');\n`,
    },
    visits: [
      // The first visit began before the service worker was there; the second brings all scripts past it.
      async ({ visit }) => (await visit.reload(), visit.outcome()),
      async ({ outcome, visit, server }) => {
        if (outcome.error) return outcome;
        await server.stop();
        await visit.reload();
        return visit.outcome();
      },
    ],
  },
};

/** One row a place and browser. */
function row(browser, place) {
  const { title, files, headers, visits: all = [] } = PLACES[place];
  // Under automation, WebKit forgets its caches with the last page of a site, as private windows do; its service worker, in
  // the row of those who are offline, counts as one.
  const visits = all.filter((visit) => browser !== 'webkit' || visit !== againFromCache);
  return {
    name: `${browser}-${place}`,
    group: GROUP,
    title: `${BROWSERS[browser].title}: ${title}`,
    files,
    needs: needs(browser),
    run: (project) => inPage(project, { headers, browser, visits }),
  };
}

/** As most sites have one: a bundle, and no module. */
function bundledServiceWorker(browser) {
  return {
    name: `${browser}-service-bundled`,
    group: GROUP,
    title: `${BROWSERS[browser].title}: a service worker, bundled by esbuild as a classic script`,
    packages: { esbuild: '0.28.2' },
    files: {
      'index.html': html(script('own.js')),
      'own.js': askOf('./out/in-service.js', {}),
      'in-service.js': `import { createAnalyzer } from 'mixed-feelings/core';
import decoder from 'mixed-feelings/decoder.wasm';
import bundle from 'mixed-feelings/mixed-feelings-small.safetensors';
import relaxed from 'mixed-feelings/relaxed-simd.wasm';
import simd128 from 'mixed-feelings/simd128.wasm';
import { outcome } from './consumer.js';
const options = { bundle, wasm: { 'relaxed-simd': relaxed, simd128, decoder } };
${ANSWERS.replace('createAnalyzer', 'createAnalyzer, options')}`,
    },
    needs: needs(browser),
    async run(project) {
      const loaders = ['--loader:.wasm=file', '--loader:.safetensors=file'];
      await project.run(project.bin('esbuild'), 'in-service.js', '--bundle', '--format=iife', ...loaders, '--outdir=out');
      return inPage(project, { browser });
    },
  };
}

/** From a CDN: the package on one origin, the page on another. */
function fromElsewhere(browser) {
  return {
    name: `${browser}-elsewhere`,
    group: GROUP,
    title: `${BROWSERS[browser].title}: the package on another origin (CORS), with an import map`,
    needs: needs(browser),
    async run(project) {
      const cdn = await serve(project.path('node_modules'), { headers: { 'Access-Control-Allow-Origin': '*' } });
      try {
        project.write('page/index.html', html(importMap(`${cdn.url}mixed-feelings/dist/index.js`), script('page.js')));
        for (const name of ['page.js', 'consumer.js', 'posts.js']) project.copy(name, `page/${name}`);
        // Firefox tells of the worker that may not come from there, before the package starts it in another way.
        return await inPage(project, { root: 'page', browser, says: /may not load data from .*worker\.js/ });
      } finally {
        await cdn.stop();
      }
    },
  };
}

/** What only Chromium can be asked for. */
const CHROMIUM_ALONE = [
  {
    name: 'chromium-trusted-types',
    group: GROUP,
    title: "Chromium: a page that requires trusted types for scripts",
    files: PLACES.page.files,
    needs: needs('chromium'),
    // The browser tells of the worker that it does not start; the page's own thread answers.
    run: (project) =>
      inPage(project, { headers: { 'Content-Security-Policy': "require-trusted-types-for 'script'" }, says: /TrustedScriptURL/ }),
  },
  {
    name: 'chromium-no-storage',
    group: GROUP,
    title: 'Chromium: a profile that denies all storage',
    files: PLACES.page.files,
    needs: needs('chromium'),
    run(project) {
      const preferences = { profile: { default_content_setting_values: { cookies: 2 } } };
      project.write('profile/Default/Preferences', JSON.stringify(preferences));
      return inPage(project, { options: { profile: project.path('profile') } });
    },
  },
  {
    name: 'chromium-sandboxed',
    group: GROUP,
    title: 'Chromium: a sandboxed frame, whose origin is nobody’s',
    files: {
      'index.html': html(script('own.js')),
      'own.js': `window.outcome = new Promise((resolve) => {
  window.onmessage = ({ data }) => resolve(data);
  const frame = Object.assign(document.createElement('iframe'), { sandbox: 'allow-scripts', src: './frame.html' });
  (document.body ?? document.documentElement).append(frame);
});
`,
      'frame.html': html(script('in-frame.js')),
      'in-frame.js': `${imports}window.parent.postMessage(await outcome(createAnalyzer), '*');\n`,
    },
    needs: needs('chromium'),
    run: (project) => inPage(project, { headers: { 'Access-Control-Allow-Origin': '*' } }),
  },
];

/** The first row is what all are held to. */
export const browsers = Object.keys(BROWSERS).flatMap((browser) => [
  ...Object.keys(PLACES).map((place) => row(browser, place)),
  bundledServiceWorker(browser),
  fromElsewhere(browser),
  ...(browser === 'chromium' ? CHROMIUM_ALONE : []),
]);
