// <mixed-feelings> in frameworks, with the recipes of the package's README, and its markup in bundlers and browsers.

import { readFileSync, readdirSync } from 'node:fs';

import { BROWSERS, needs } from '../lib/browsers.js';
import { NODE_24 } from '../lib/node.js';
import { inPage } from '../lib/page.js';
import { sample, samples } from '../lib/samples.js';

const GROUP = 'The element `<mixed-feelings>`';

/** The script of the page that asks: beside the project's own, as a person sits before it. */
const ASKS = (bound) => `import { marks } from './marks.js';\nwindow.outcome = marks({ bound: ${bound} });\n`;
const asking = (html) => html.replace('</html>', '  <script type="module" src="./asks.js"></script>\n</html>');

/** The files of an example, with the component that the README prints. */
function example(name, component) {
  const folder = new URL(`../examples/${name}/`, import.meta.url);
  const files = Object.fromEntries(readdirSync(folder).map((file) => [file, readFileSync(new URL(file, folder), 'utf8')]));
  return { ...files, [component]: sample('README.md', component), 'index.html': asking(files['index.html']), 'asks.js': ASKS(true) };
}

const VITE = { vite: '8.3.8', ...NODE_24.packages };

function framework(name, title, component, packages, browser = 'chromium') {
  return {
    name: browser === 'chromium' ? `element-${name}` : `element-${name}-${browser}`,
    group: GROUP,
    title: `${title}, [the example](examples/${name}/) built by Vite, in ${BROWSERS[browser].title}`,
    packages: { ...VITE, ...packages },
    shows: Object.keys(packages).slice(0, 1).concat('vite'),
    files: example(name, component),
    needs: needs(browser),
    async run(project) {
      await project.run(NODE_24.program(project), project.bin('vite'), 'build');
      return inPage(project, { root: 'dist', browser });
    },
  };
}

const markup = () => samples().find(({ how }) => how === 'element').code;

/** The README's markup; what imports the element is a script of the bundler's. */
const page = (script) => `<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <title>an element</title>
  ${markup().replace(/<script[\s\S]*?<\/script>/, '')}
  <script type="module" src="./${script}"></script>
</html>
`;

const OWN = `import 'mixed-feelings/element';\n${ASKS(false)}`;

function bundled(browser, name, title, packages, build) {
  return {
    name: `element-${name}-${browser}`,
    group: GROUP,
    title: `markup, built by ${title}, in ${BROWSERS[browser].title}`,
    packages,
    shows: [title.toLowerCase()],
    files: { 'index.html': page('own.js'), 'own.js': OWN },
    needs: needs(browser),
    async run(project) {
      await build(project);
      return inPage(project, { root: 'out', browser });
    },
  };
}

const byVite = (browser) =>
  bundled(browser, 'vite', 'Vite', VITE, (project) => project.run(NODE_24.program(project), project.bin('vite'), 'build', '--outDir', 'out'));

const byWebpack = (browser) =>
  bundled(browser, 'webpack', 'webpack', { webpack: '5.113.0', 'webpack-cli': '7.3.1' }, async (project) => {
    await project.run(project.bin('webpack'), '--mode', 'production', './own.js', '--output-path', project.path('out'));
    project.write('out/index.html', page('main.js'));
  });

export const elements = [
  framework('react', 'React', 'Compose.jsx', { react: '19.3.1', 'react-dom': '19.3.1' }),
  framework('vue', 'Vue', 'Compose.vue', { vue: '3.5.45', '@vitejs/plugin-vue': '6.0.11' }),
  framework('svelte', 'Svelte', 'Compose.svelte', { svelte: '5.57.3', '@sveltejs/vite-plugin-svelte': '7.3.1' }),
  ...['chromium', 'firefox', 'webkit'].flatMap((browser) => [byVite(browser), byWebpack(browser)]),
];
