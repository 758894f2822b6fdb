// Bundlers: each builds the same page, and Chromium opens what comes out of it.

import { needs } from '../lib/browsers.js';
import { againFromCache, inPage } from '../lib/page.js';
import { sample } from '../lib/samples.js';
import { POLICY } from './browsers.js';

const GROUP = 'Bundlers, built page in Chromium';

/** As a bundler without knowledge of HTML leaves it. */
const HTML_OF = (script) => `<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <title>a consumer</title>
  <script type="module" src="./${script}"></script>
</html>
`;

/** The package beside the bundle, and the name by which the bundle imports it. */
const EXTERNAL_HTML = sample('hosting.md', 'external.html');

const VITE_CONFIG = sample('hosting.md', 'vite.config.js');

const WEBPACK_CONFIG = `export default {
  mode: 'production',
  entry: './page.js',
  output: { path: import.meta.dirname + '/out', filename: 'page.js', clean: true },
};
`;

/** A row whose `build` leaves the page in `root`. */
function row({ name, title, packages, shows, files = {}, scripts, fast, root = 'out', build, headers, visits = [againFromCache] }) {
  return {
    name,
    group: GROUP,
    title,
    fast,
    packages,
    shows,
    scripts,
    files,
    needs: needs('chromium'),
    async run(project) {
      await build(project);
      return inPage(project, { root, headers, visits });
    },
  };
}

/** For a bundler that gives URLs of files that are imported: each file is named, and the package brings nothing by itself. */
const CORE = sample('hosting.md', 'page.js').replace(
  /const analyzer = await createAnalyzer\((.*)\);/,
  "import { outcome } from './consumer.js';\nwindow.outcome = outcome(createAnalyzer, $1);",
);

/** Those that find nothing that is named in `new URL(..., import.meta.url)`: the package stays apart, as it is. */
function external(name, title, packages, build, shows) {
  return row({
    name,
    title: `${title}: the package is \`external\`, copied beside it, and found by an import map`,
    packages,
    shows,
    fast: name === 'esbuild',
    async build(project) {
      await build(project);
      project.write('out/index.html', EXTERNAL_HTML);
      project.copy('node_modules/mixed-feelings', 'out/mixed-feelings');
    },
  });
}

export const bundlers = [
  {
    name: 'vite-dev',
    group: GROUP,
    title: "Vite's development server",
    packages: { vite: '8.3.8' },
    files: { 'vite.config.js': VITE_CONFIG },
    needs: needs('chromium'),
    async run(project) {
      return inPage(project, { url: await project.start(project.bin('vite'), '--host', '127.0.0.1', '--port', '0') });
    },
  },
  row({
    name: 'vite-build',
    title: 'Vite',
    packages: { vite: '8.3.8' },
    root: 'dist',
    build: (project) => project.run(project.bin('vite'), 'build'),
  }),
  row({
    name: 'vite-csp',
    title: "Vite, under the documented content security policy",
    fast: true,
    packages: { vite: '8.3.8' },
    root: 'dist',
    headers: { 'Content-Security-Policy': POLICY },
    build: (project) => project.run(project.bin('vite'), 'build'),
  }),
  row({
    name: 'webpack',
    title: 'webpack',
    packages: { webpack: '5.113.0', 'webpack-cli': '7.3.1' },
    shows: ['webpack'],
    files: { 'webpack.config.mjs': WEBPACK_CONFIG },
    async build(project) {
      await project.run(project.bin('webpack'));
      project.write('out/index.html', HTML_OF('page.js'));
    },
  }),
  row({
    name: 'rspack',
    title: 'Rspack',
    packages: { '@rspack/core': '2.3.3', '@rspack/cli': '2.2.8' },
    shows: ['@rspack/core'],
    files: { 'rspack.config.mjs': WEBPACK_CONFIG },
    async build(project) {
      await project.run(project.bin('rspack'), 'build');
      project.write('out/index.html', HTML_OF('page.js'));
    },
  }),
  row({
    name: 'parcel',
    title: 'Parcel',
    packages: { parcel: '2.16.4' },
    scripts: true,
    root: 'dist',
    build: (project) => project.run(project.bin('parcel'), 'build', 'index.html', '--no-cache'),
  }),
  external('esbuild', 'esbuild', { esbuild: '0.28.2' }, (project) =>
    project.run(project.bin('esbuild'), 'page.js', '--bundle', '--format=esm', '--external:mixed-feelings', '--outdir=out'),
  ),
  row({
    name: 'esbuild-core',
    title: 'esbuild: `mixed-feelings/core`, its `file` loader, and the worker as a second entry',
    fast: true,
    packages: { esbuild: '0.28.2' },
    files: { 'page.js': CORE, 'worker.js': "import 'mixed-feelings/worker';\n" },
    visits: [],
    async build(project) {
      const loaders = ['--loader:.wasm=file', '--loader:.safetensors=file'];
      await project.run(project.bin('esbuild'), 'page.js', 'worker.js', '--bundle', '--format=esm', ...loaders, '--outdir=out');
      project.write('out/index.html', HTML_OF('page.js'));
    },
  }),
  external('rollup', 'Rollup', { rollup: '4.68.8' }, (project) =>
    project.run(project.bin('rollup'), 'page.js', '--external', 'mixed-feelings', '--dir', 'out'),
  ),
  external('rolldown', 'Rolldown', { rolldown: '1.3.2' }, (project) =>
    project.run(project.bin('rolldown'), 'page.js', '--external', 'mixed-feelings', '--dir', 'out'),
  ),
];
