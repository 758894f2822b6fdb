// dist/modules/bindings.js and gpu-bindings.js: wasm-bindgen's module, which has one instance of the program in a thread, as a
// function that gives one each time. So each analyzer has a memory of its own, which goes with it, and a crash is nobody
// else's.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

const dist = new URL('../dist/', import.meta.url);
const [script, other] = ['simd128', 'relaxed-simd'].map((name) => new URL(`${name}/engine.js`, dist));
if (!readFileSync(script).equals(readFileSync(other))) {
  throw new Error('the two programs have different bindings: they can only be made of one for both');
}
for (const [from, to] of [
  [script, 'modules/bindings.js'],
  [new URL('gpu/engine.js', dist), 'modules/gpu-bindings.js'],
]) {
  // A module may come from another realm, as in the sandbox of Next.js's edge runtime: its tag tells, not its class.
  const contents = readFileSync(from, 'utf8').replace(
    /(\w+) instanceof WebAssembly\.Module\b/,
    "Object.prototype.toString.call($1)==='[object WebAssembly.Module]'",
  );
  if (!contents.includes('[object WebAssembly.Module]')) throw new Error(`${to} would look for its module in another way than it did`);
  await build({
    stdin: { contents, resolveDir: fileURLToPath(new URL('.', from)) },
    outfile: fileURLToPath(new URL(to, dist)),
    format: 'iife',
    globalName: 'made',
    banner: { js: 'export const bindings=()=>{' },
    footer: { js: 'return made};' },
    minify: true,
    target: 'es2022',
    logLevel: 'warning',
  });
}
