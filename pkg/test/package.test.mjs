// What `npm pack` makes, unpacked into a project of its own: what it promises, what it weighs, and that it runs.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';

import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import ts from 'typescript';

import { report } from '../scripts/api.mjs';
import { cannotRun } from './lib/node.mjs';

const run = promisify(execFile);
const pkg = fileURLToPath(new URL('../', import.meta.url));
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';

// Bytes. The weights are nearly all of the tarball, and hardly shrink; what is beside them has the rest.
const MOST_BESIDE_WEIGHTS = 4_000_000;
/** Of gzip: what a page loads, and its worker. */
const MOST_JS = 40_000;
/** Of gzip, likewise: the worker for the GPU, where it is tried. */
const MOST_GPU_JS = 17_000;
/** Of gzip, likewise: what the element adds to that. */
const MOST_ELEMENT_JS = 3_000;

describe('the package', { skip: cannotRun }, () => {
  let project;
  let tarball;
  let installed;
  before(async () => {
    project = mkdtempSync(join(tmpdir(), 'mixed-feelings-'));
    const { stdout } = await run(npm, ['pack', '--json', '--ignore-scripts', '--pack-destination', project], { cwd: pkg });
    tarball = JSON.parse(stdout)[0];
    writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
    const modules = join(project, 'node_modules');
    mkdirSync(modules);
    await run('tar', ['-xzf', join(project, tarball.filename), '-C', modules]);
    installed = join(modules, 'mixed-feelings');
    cpSync(join(modules, 'package'), installed, { recursive: true });
    rmSync(join(modules, 'package'), { recursive: true });
  });
  after(() => rmSync(project, { recursive: true, force: true }));

  /** What a script prints in the project. That it ends, with nothing disposed of, is a part of the test. */
  async function printed(code, ...options) {
    const { stdout, stderr } = await run(process.execPath, [...options, '-e', code], { cwd: project, timeout: 60_000 });
    assert.equal(stderr, '');
    return JSON.parse(stdout);
  }

  test('publint has no remark', async () => {
    const packed = Uint8Array.from(readFileSync(join(project, tarball.filename))).buffer;
    const { messages, pkg: json } = await publint({ strict: true, pack: { tarball: packed } });
    assert.deepEqual(messages.map((message) => formatMessage(message, json)), []);
  });

  test('attw has no remark', async () => {
    const attw = join(pkg, 'node_modules/@arethetypeswrong/cli/dist/index.js');
    const { stdout } = await run(process.execPath, [attw, '--no-color', '--no-emoji', join(project, tarball.filename)]);
    assert.match(stdout, /No problems found/);
  });

  const { ModuleKind, ModuleResolutionKind } = ts;
  const resolutions = {
    node16: { module: ModuleKind.Node16, moduleResolution: ModuleResolutionKind.Node16 },
    nodenext: { module: ModuleKind.NodeNext, moduleResolution: ModuleResolutionKind.NodeNext },
    bundler: { module: ModuleKind.Preserve, moduleResolution: ModuleResolutionKind.Bundler },
    node10: { module: ModuleKind.ES2022, moduleResolution: ModuleResolutionKind.Node10 },
  };
  const libraries = {
    'a page': { lib: ['lib.es2022.d.ts', 'lib.dom.d.ts', 'lib.dom.asynciterable.d.ts', 'lib.esnext.disposable.d.ts'], file: 'page.ts' },
    'nothing but JavaScript': { lib: ['lib.es2022.d.ts'], file: 'bare.ts' },
    'Node.js': { lib: ['lib.es2023.d.ts'], types: ['node'], file: 'bare.ts' },
  };
  for (const [name, resolution] of Object.entries(resolutions)) {
    for (const [where, { file, ...library }] of Object.entries(libraries)) {
      test(`its types compile with ${name}, with the types of ${where}`, () => compiles(file, { ...resolution, ...library }));
    }
  }
  test('its types compile in CommonJS', () => compiles('common.cts', { ...resolutions.nodenext, lib: ['lib.es2022.d.ts'] }));

  function compiles(file, options) {
    cpSync(fileURLToPath(new URL('package', import.meta.url)), join(project, 'src'), { recursive: true });
    const program = ts.createProgram([join(project, 'src', file)], {
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      noEmit: true,
      target: ts.ScriptTarget.ES2022,
      types: [],
      typeRoots: [join(pkg, 'node_modules/@types')],
      ...options,
    });
    // What the types of Node.js say of each other is not ours.
    const found = ts.getPreEmitDiagnostics(program).filter(({ file: at }) => !at?.fileName.includes('@types/node'));
    assert.equal(ts.formatDiagnostics(found, { getCanonicalFileName: (name) => name, getCurrentDirectory: () => project, getNewLine: () => '\n' }), '');
  }

  test('what it exports is what api.txt says: `npm run api` writes it anew', () => {
    assert.equal(report(), readFileSync(join(pkg, 'api.txt'), 'utf8'));
  });

  test('it depends on nothing, and says so', async () => {
    const { stdout } = await run(npm, ['sbom', '--omit=dev', '--sbom-format=cyclonedx'], { cwd: pkg });
    const { metadata, components } = JSON.parse(stdout);
    assert.match(metadata.component['bom-ref'], /^mixed-feelings@/);
    assert.deepEqual(components, []);
  });

  test('it lists the crates in its programs', () => {
    const { bomFormat, metadata, components } = JSON.parse(source('sbom.cdx.json'));
    const { name, version } = JSON.parse(readFileSync(join(pkg, 'package.json'), 'utf8'));
    assert.deepEqual([bomFormat, metadata.component.name, metadata.component.version], ['CycloneDX', name, version]);
    const crates = components.map((component) => component.name);
    for (const crate of ['mixed-feelings', 'tokenizers', 'png']) assert.ok(crates.includes(crate), crate);
  });

  test('nothing in it is imported dynamically, but by `require`', () => {
    for (const name of scripts()) {
      if (!name.endsWith('.cjs')) assert.doesNotMatch(source(name), /\bimport\(/, name);
    }
  });

  test('each script is whole, so a page waits for one; the element has the analyzer of its page', () => {
    for (const name of scripts()) {
      const imported = [...source(name).matchAll(/(?:\bfrom|\bimport)\s*["'](\.[^"']+)["']/g)].map(([, other]) => other);
      assert.deepEqual(imported, name === 'element.js' ? ['./index.js'] : [], name);
    }
  });

  test('it names its files as bundlers look for them', () => {
    const named = (name) => [...source(name).matchAll(/new URL\("([^"]+)",\s*import\.meta\.url\)/g)].map(([, file]) => file);
    const files = ['../mixed-feelings-small.safetensors', './decoder.wasm', './gpu/engine_bg.wasm', './relaxed-simd/engine_bg.wasm', './simd128/engine_bg.wasm'];
    assert.deepEqual([...new Set(named('index.js'))].sort(), [...files, './gpu-worker.js', './worker.js'].sort());
    assert.deepEqual([...new Set(named('index-node.js'))].sort(), [...files, './worker-node.js'].sort());
    // webpack and Rspack put workers of one name into one file, which then runs both scripts.
    for (const [file, name] of [['./worker.js', 'mixed-feelings'], ['./gpu-worker.js', 'mixed-feelings-gpu']]) {
      assert.ok(source('index.js').includes(`new Worker(new URL("${file}",import.meta.url),{type:"module",name:"${name}"})`), file);
    }
  });

  test('the core names no file that a bundler could put anywhere', () => {
    assert.doesNotMatch(source('core.js'), /import\.meta|["']node:/);
    assert.doesNotMatch(source('core-node.js'), /import\.meta/);
  });

  test('it weighs little', (t) => {
    const bundle = tarball.files.find(({ path }) => path.endsWith('.safetensors')).size;
    t.diagnostic(`${tarball.size} bytes of tarball, ${bundle} of weights, ${tarball.unpackedSize} unpacked`);
    assert.ok(tarball.size <= bundle + MOST_BESIDE_WEIGHTS, `${tarball.size} bytes of tarball`);
    const weighed = (...names) => names.reduce((sum, name) => sum + gzipSync(source(name), { level: 9 }).length, 0);
    const page = weighed('index.js', 'worker.js');
    t.diagnostic(`${page} bytes of gzip are the JavaScript of a page`);
    assert.ok(page <= MOST_JS, `${page} bytes of gzip`);
    const gpu = weighed('gpu-worker.js');
    t.diagnostic(`${gpu} bytes of gzip are the GPU's`);
    assert.ok(gpu <= MOST_GPU_JS, `${gpu} bytes of gzip`);
    const added = weighed('element.js');
    t.diagnostic(`${added} bytes of gzip are the element's`);
    assert.ok(added <= MOST_ELEMENT_JS, `${added} bytes of gzip`);
  });

  const scripts = () => readdirSync(join(installed, 'dist')).filter((name) => /\.c?js$/.test(name));
  const source = (name) => readFileSync(join(installed, 'dist', name), 'utf8');

  const ask = `.then(async (analyzer) => {
    const { scores } = await analyzer.analyze({ text: 'Perfect solitude' });
    console.log(JSON.stringify({ scores, worker: analyzer.worker, memory: (await analyzer.info()).memory }));
  });`;

  test('import and require give the same answer, and nobody must be disposed of', async () => {
    const [imported, required, here] = await Promise.all([
      printed(`import { createAnalyzer } from 'mixed-feelings'; createAnalyzer()${ask}`, '--input-type=module'),
      printed(`const { createAnalyzer } = require('mixed-feelings'); createAnalyzer()${ask}`),
      printed(`const { createAnalyzer } = require('mixed-feelings'); createAnalyzer({ worker: false })${ask}`),
    ]);
    assert.deepEqual([imported.worker, required.worker, here.worker], [true, true, false]);
    assert.deepEqual([required.scores, here.scores], [imported.scores, imported.scores]);
  });

  test('the element may be imported where there are none: nothing happens', async () => {
    const say = "console.log(JSON.stringify(typeof customElements));";
    assert.equal(await printed(`import 'mixed-feelings/element'; import { MixedFeelingsElement } from 'mixed-feelings/element'; ${say} MixedFeelingsElement.name`, '--input-type=module'), 'undefined');
    assert.equal(await printed(`require('mixed-feelings/element'); ${say}`), 'undefined');
  });

  test('the core takes its files and its worker from the caller', async () => {
    const open = `const { createAnalyzer } = require('mixed-feelings/core');
      const { Worker } = require('node:worker_threads');
      const file = (name) => require.resolve('mixed-feelings/' + name);
      const files = { bundle: file('mixed-feelings-small.safetensors'), wasm: { simd128: file('simd128.wasm'), decoder: file('decoder.wasm') } };`;
    const [bare, here, there] = await Promise.all([
      printed(`${open} createAnalyzer().catch(({ code, message }) => console.log(JSON.stringify({ code, message })))`),
      printed(`${open} createAnalyzer(files)${ask}`),
      printed(`${open} createAnalyzer({ ...files, worker: () => new Worker(file('worker')) })${ask}`),
    ]);
    assert.equal(bare.code, 'bad-input');
    assert.match(bare.message, /no bundle is given/);
    assert.deepEqual([here.worker, there.worker], [false, true]);
    assert.deepEqual(there.scores, here.scores);
  });
});
