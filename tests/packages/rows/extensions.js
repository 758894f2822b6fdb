// A browser extension of Manifest V3: a page of it, and its background, which is a service worker.

import { BROWSERS, needs, openBrowser } from '../lib/browsers.js';

const PACKAGE = './node_modules/mixed-feelings/dist/index.js';

const MANIFEST = {
  manifest_version: 3,
  name: 'a consumer',
  version: '1',
  // Without it, no program may be compiled.
  content_security_policy: { extension_pages: "script-src 'self' 'wasm-unsafe-eval'; object-src 'self'" },
  background: { service_worker: 'background.js', type: 'module' },
};

const FILES = {
  'manifest.json': JSON.stringify(MANIFEST, null, 2),
  'page.html': '<!doctype html><meta charset="utf-8"><title>a page</title><script type="module" src="own.js"></script>\n',
  'own.js': `import { createAnalyzer } from '${PACKAGE}';
import { outcome } from './consumer.js';
window.outcome = outcome(createAnalyzer);
`,
  'asks.html': '<!doctype html><meta charset="utf-8"><title>asks</title><script type="module" src="asks.js"></script>\n',
  'asks.js': `window.outcome = chrome.runtime.sendMessage('answer').catch((error) => ({ error: String(error) }));\n`,
  'background.js': `import { createAnalyzer } from '${PACKAGE}';
import { outcome } from './consumer.js';
chrome.runtime.onMessage.addListener((message, sender, respond) => {
  outcome(createAnalyzer).then(respond);
  return true; // the answer comes later
});
`,
};

function row(name, title, page) {
  return {
    name,
    group: 'Browser extensions',
    title,
    files: FILES,
    needs: needs('chromium'),
    async run(project) {
      const opened = await openBrowser('chromium', { extensions: true });
      try {
        const id = await opened.browser.installExtension(project.folder);
        const visit = await opened.visit(`chrome-extension://${id}/${page}`);
        return { ...(await visit.outcome()), versions: [`${BROWSERS.chromium.title} ${opened.version}`] };
      } finally {
        await opened.close();
      }
    },
  };
}

export const extensions = [
  row('extension-page', 'Manifest V3: a page of the extension', 'page.html'),
  row('extension-background', 'Manifest V3: its background', 'asks.html'),
];
