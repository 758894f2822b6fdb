// Which program runs: chosen by trying, never by the engine's name.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { afterEach, test } from 'node:test';
import { promisify } from 'node:util';

import { createAnalyzer } from '../dist/index.js';
import { knownBackends } from '../dist/modules/wasm.js';
import { bundleFile, cannotRun, dist, installFileFetch, readBundle } from './lib/node.mjs';

installFileFetch();
const fetchFile = globalThis.fetch;
const { validate, compile } = WebAssembly;
afterEach(() => {
  globalThis.fetch = fetchFile;
  WebAssembly.validate = validate;
  WebAssembly.compile = compile;
});

/** What `code` prints in a Node of its own, with these flags; `analyzer` is open in it. */
async function inNode(flags, code) {
  const script = `
    import { installFileFetch, readBundle } from ${JSON.stringify(new URL('lib/node.mjs', import.meta.url).href)};
    import { createAnalyzer } from ${JSON.stringify(new URL('index.js', dist).href)};
    installFileFetch();
    const analyzer = await createAnalyzer({ bundle: await readBundle(), worker: false });
    ${code}`;
  const env = { ...process.env, MIXED_FEELINGS_BUNDLE: bundleFile };
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, '--input-type=module', '-e', script], { env });
  return JSON.parse(stdout);
}

test('this engine has SIMD, and the fastest program comes first', () => {
  assert.equal(knownBackends().at(-1), 'simd128');
  WebAssembly.validate = () => true;
  assert.deepEqual(knownBackends(), ['relaxed-simd', 'simd128']);
});

test('both programs give the same answer', { skip: cannotRun }, async () => {
  const answer = `
    const { scores } = await analyzer.analyze({ text: 'I love this \u{1f600}', image: new Uint8Array(${JSON.stringify([...picture()])}) });
    console.log(JSON.stringify({ backend: analyzer.backend, scores }));`;
  // Behind a flag in Node 20, whose first compiler computes it wrongly: then the self-test falls back, which is as good.
  const [plain, relaxed] = await Promise.all([[], ['--experimental-wasm-relaxed-simd']].map((flags) => inNode(flags, answer)));
  assert.deepEqual(relaxed.scores, plain.scores);
});

// Before any runs in this thread: from then on it need not be fetched.
test('a program that does not arrive is an error that names it', { skip: cannotRun }, async () => {
  globalThis.fetch = async (url) => new Response('gone', { status: 404, headers: { 'x-url': String(url) } });
  const opening = createAnalyzer({ bundle: await readBundle(), worker: false, cache: false });
  await assert.rejects(opening, { code: 'wasm-fetch', message: /engine_bg\.wasm cannot be fetched: the server answers 404/ });
});

test('a program that cannot be compiled gives way to the next', { skip: cannotRun }, async () => {
  WebAssembly.validate = () => true;
  const compiled = [];
  WebAssembly.compile = (bytes) => {
    if (bytes.length < 1_000_000) return compile(bytes); // Node's own, for its `fetch`.
    compiled.push(bytes);
    return compiled.length === 1 ? Promise.reject(new WebAssembly.CompileError('no such opcode')) : compile(bytes);
  };
  const analyzer = await createAnalyzer({ bundle: await readBundle(), worker: false, cache: false });
  assert.deepEqual([compiled.length, analyzer.backend], [2, 'simd128']);
  analyzer.dispose();
});

test('an engine without SIMD is told what is missing', { skip: cannotRun }, async () => {
  WebAssembly.validate = () => false;
  const opening = createAnalyzer({ bundle: await readBundle(), worker: false });
  await assert.rejects(opening, { code: 'unsupported', message: /no WebAssembly SIMD/ });
});

/** A GIF of one black pixel. */
function picture() {
  return Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAAAAAAALAAAAAABAAEAAAIBRAA7', 'base64');
}
