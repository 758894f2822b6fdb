// `npm run bundle`: makes of the modules in dist/modules/ the scripts that are published, one for each way in.
//
// Each is whole. A page without a bundler waits for one script and its worker for another, not for forty each: every file
// costs a request, and every import of an import a way to the server and back. Shared files would save some 10 kB of gzip,
// which page and worker both have; whether they are faster depends on what the server says about caching, so there are none.
//
// The modules stay, for tests that look inside. They are not published, and their addresses of files (assets.ts,
// web-worker.ts) are right only here, one folder up; esbuild leaves those as they are, for the bundlers of others.

import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

const dist = fileURLToPath(new URL('../dist/', import.meta.url));
const ENTRIES = ['index', 'index-node', 'core', 'core-node', 'element', 'worker', 'worker-node', 'gpu-worker'];

await build({
  entryPoints: ENTRIES.map((name) => `${dist}modules/${name}.js`),
  outdir: dist,
  bundle: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  // The element has the analyzer of the page that it is in, not another one.
  external: ['node:*', './index.js'],
  logLevel: 'warning',
});
