// Runs the backend suite of a wasm file, built with the feature `testing`, on every instruction set that it has:
// node wasm.mjs FILE HOW_MANY
import { readFileSync } from 'node:fs';
import v8 from 'node:v8';

// Node 20 has relaxed SIMD behind a flag, and its baseline compiler gets it wrong. Later ones know neither.
if (process.versions.node.startsWith('20.')) {
  v8.setFlagsFromString('--experimental-wasm-relaxed-simd');
  v8.setFlagsFromString('--no-liftoff');
}

const [file, sets] = process.argv.slice(2);
const module = new WebAssembly.Module(readFileSync(file));
// The suite needs nothing of JavaScript: what the bindings would import must not be called.
const imports = {};
for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
  if (kind !== 'function') throw new Error(`${file} imports the ${kind} ${from}.${name}`);
  const refuse = () => {
    throw new Error(`${from}.${name} was called`);
  };
  (imports[from] ??= {})[name] = refuse;
}
const { exports } = new WebAssembly.Instance(module, imports);
// The bindings would take the hash off its name.
const runSuite = exports[Object.keys(exports).find((name) => name.startsWith('runSuite'))];
let index = 0;
for (let cases; (cases = runSuite(index)) !== 0; index++) {
  if (cases < 0) throw new Error(`instruction set ${index} of ${file} does not pass`);
  console.log(`instruction set ${index}: ${cases} cases`);
}
if (index !== Number(sets)) throw new Error(`${file} has ${index} instruction sets, expected ${sets}`);
