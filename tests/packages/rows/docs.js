// The code samples of the READMEs and of pkg/docs/, run as they are printed. Those that are files of a project are run by the rows
// of bundlers, browsers, frameworks and edge runtimes.

import { needs } from '../lib/browsers.js';
import { inPage } from '../lib/page.js';
import { samples } from '../lib/samples.js';
import { serve } from '../lib/serve.js';

const GROUP = 'Code samples of the documentation';

/** The kinds of samples that some row runs. */
const KINDS = ['element', 'file', 'node', 'node-script', 'page', 'page-worker', 'story', 'types'];

const of = (...kinds) => samples().filter(({ how }) => kinds.includes(how));
const where = ({ text, line }) => `${text}:${line}`;
const passed = (some) => ({ compiles: true, note: `${some.length} samples` });

const HTML = `<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <title>samples</title>
  <script type="importmap">{ "imports": {
    "mixed-feelings": "/node_modules/mixed-feelings/dist/index.js",
    "mixed-feelings/core": "/node_modules/mixed-feelings/dist/core.js",
    "mixed-feelings/element": "/node_modules/mixed-feelings/dist/element.js"
  } }</script>
  <input type="file">
  <script type="module" src="./own.js"></script>
</html>
`;

/** Runs each sample in a page: first a picture is put into its field, as a person would. */
const RUNS = (names) => `import { posts } from './posts.js';
const files = new DataTransfer();
files.items.add(new File([posts.both.image], 'photo.jpg', { type: 'image/jpeg' }));
document.querySelector('input').files = files.files;
const inWorker = (name) => new Promise((resolve, reject) => {
  const worker = new Worker(name, { type: 'module' });
  worker.onmessage = () => resolve();
  worker.onerror = ({ message }) => reject(new Error(message));
});
async function run() {
  for (const name of ${JSON.stringify(names)}) {
    try {
      await (name.includes('worker') ? inWorker(name) : import(name));
    } catch (error) {
      return { error: name + ': ' + error };
    }
  }
  return { compiles: true };
}
window.outcome = run();
`;

/** One text's samples that go on from each other; the posts are the reader's. */
function stories() {
  const texts = new Set(of('story').map(({ text }) => text));
  const told = [...texts].map((text) => of('story').filter((one) => one.text === text));
  return told.map((parts) => `const posts = [{ text: 'What a lovely morning' }, { text: '' }];\n${parts.map(({ code }) => code).join('\n')}`);
}

export const docs = [
  {
    name: 'docs-node',
    group: GROUP,
    title: 'those for Node',
    fast: true,
    async run(project) {
      const strange = samples().filter(({ how }) => !KINDS.includes(how));
      if (strange.length > 0) return { error: `nothing says how to run ${strange.map(where).join(', ')}` };
      project.write('photo.js', `import { writeFileSync } from 'node:fs';\nimport { posts } from './posts.js';\nwriteFileSync('photo.jpg', posts.both.image);\n`);
      await project.run(process.execPath, 'photo.js');
      const mine = of('node', 'node-script');
      for (const [number, one] of mine.entries()) {
        const name = `sample-${number}.${one.how === 'node' ? 'mjs' : 'cjs'}`;
        project.write(name, one.code);
        const output = await project.run(process.execPath, name).catch((error) => ({ error }));
        if (output.error || !output.trim()) return { error: `${where(one)}: ${output.error?.message ?? 'prints nothing'}` };
      }
      return passed(mine);
    },
  },
  {
    name: 'docs-page',
    group: GROUP,
    title: 'those for a page, in Chromium',
    fast: true,
    needs: needs('chromium'),
    async run(project) {
      const files = await serve(project.path('elsewhere'), { headers: { 'Access-Control-Allow-Origin': '*' } });
      try {
        for (const [from, to] of [
          ['mixed-feelings-small.safetensors', 'mixed-feelings-small.safetensors'],
          ['dist/relaxed-simd/engine_bg.wasm', 'relaxed-simd.wasm'],
          ['dist/simd128/engine_bg.wasm', 'simd128.wasm'],
          ['dist/decoder.wasm', 'decoder.wasm'],
        ]) {
          project.copy(`node_modules/mixed-feelings/${from}`, `elsewhere/${to}`);
        }
        const names = [];
        const write = (name, code) => {
          project.write(name, code.replaceAll('https://files.example/', files.url));
          names.push(`./${name}`);
        };
        of('page').forEach(({ code }, i) => write(`sample-${i}.js`, code));
        // A worker has no import map.
        of('page-worker').forEach(({ code }, i) =>
          write(`worker-${i}.js`, `${code.replace("from 'mixed-feelings'", "from '/node_modules/mixed-feelings/dist/index.js'")}\npostMessage('done');\n`),
        );
        stories().forEach((code, i) => write(`story-${i}.js`, code));
        project.write('index.html', HTML);
        project.write('own.js', RUNS(names));
        return { note: `${of('page', 'page-worker', 'story').length} samples`, ...(await inPage(project, {})) };
      } finally {
        await files.stop();
      }
    },
  },
  {
    name: 'docs-types',
    group: GROUP,
    title: 'by TypeScript: every name of an option is one',
    fast: true,
    packages: { typescript: '5.9.3', '@types/node': '20.19.43' },
    shows: ['typescript'],
    async run(project) {
      const mine = samples().filter(({ how, file }) => ['node', 'page', 'page-worker', 'types'].includes(how) || file === 'page.js');
      const names = mine.map(({ language, how, code }, i) => {
        const name = `sample-${i}.${language === 'ts' ? 'ts' : 'js'}`;
        project.write(name, how === 'types' ? `import { createAnalyzer } from 'mixed-feelings';\n${code}` : code);
        return name;
      });
      const compilerOptions = { allowJs: true, checkJs: true, noEmit: true, strict: false, target: 'es2022', module: 'preserve', lib: ['es2023', 'dom', 'dom.iterable'], types: ['node'] };
      project.write('tsconfig.json', JSON.stringify({ compilerOptions, files: names }));
      await project.run(project.bin('tsc'), '-p', 'tsconfig.json');
      return passed(mine);
    },
  },
];
