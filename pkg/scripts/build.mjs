// `npm run build`: TypeScript to dist/modules/ and its declarations to dist/, then what is no TypeScript: the facts of this
// release, and the way in for `require`. After it `npm run bundle` makes of the modules what is published.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const pkg = new URL('../', import.meta.url);
const dist = new URL('dist/', pkg);
const read = (name) => readFileSync(new URL(name, pkg), 'utf8');
const write = (name, text) => writeFileSync(new URL(name, dist), text);

// What was made of sources that went away would be published too.
rmSync(new URL('modules/', dist), { recursive: true, force: true });
for (const name of existsSync(dist) ? readdirSync(dist) : []) {
  if (/\.(c?js|d\.c?ts)$/.test(name)) rmSync(new URL(name, dist));
}

const { bin } = createRequire(import.meta.url)('typescript/package.json');
const tsc = fileURLToPath(new URL(`node_modules/typescript/${bin.tsc}`, pkg));
execFileSync(process.execPath, [tsc], { cwd: fileURLToPath(pkg), stdio: 'inherit' });

const BUNDLE = 'mixed-feelings-small.safetensors';
const [digits, name] = read(`${BUNDLE}.sha256`).trim().split(/\s+/);
if (!/^[0-9a-f]{64}$/.test(digits) || name !== BUNDLE) throw new Error(`${BUNDLE}.sha256 is not what sha256sum writes`);
write(
  'modules/release.js',
  `export const VERSION = ${JSON.stringify(JSON.parse(read('package.json')).version)};
export const BUNDLE_SHA256 = '${digits}';
`,
);

// A package that is written as ES modules can be asked for by `require` too: all that it does is asynchronous anyway. The
// types come from the modules; the class of its errors is only there for `import`, so it is a type here.
for (const entry of ['index', 'index-node', 'core', 'core-node']) {
  write(
    `${entry}.cjs`,
    `'use strict';
for (const name of ['createAnalyzer', 'cached', 'clearCache']) {
  exports[name] = async (...given) => (await import('./${entry}.js'))[name](...given);
}
`,
  );
}
write('worker-node.cjs', "'use strict';\nvoid import('./worker-node.js');\n");
write('worker.d.cts', 'export {};\n');
write('element.cjs', "'use strict';\nvoid import('./element.js');\n");

// What bundlers and runtimes that know such files make of an `import` of them.
const asModules = " with { 'resolution-mode': 'import' };";
file('wasm-file', `import type { WasmModule } from './api.js'`, 'WasmModule');
file('bundle-file', '', 'string | ArrayBuffer');
function file(name, imports, type) {
  write(`${name}.d.ts`, `${imports && `${imports};\n`}declare const file: ${type};\nexport default file;\n`);
  write(`${name}.d.cts`, `${imports && `${imports}${asModules}\n`}declare const file: ${type};\nexport = file;\n`);
}
write('element.d.cts', `export type { MixedFeelingsElement, Words } from './element.js'${asModules}\n`);
for (const entry of ['index', 'core']) {
  write(
    `${entry}.d.cts`,
    `import type { Library } from './api.js'${asModules}
export declare const createAnalyzer: Library['createAnalyzer'];
export declare const cached: Library['cached'];
export declare const clearCache: Library['clearCache'];
export type { MixedFeelingsError, ErrorCode } from './errors.js'${asModules}
export type * from './api.js'${asModules}
export type * from './types.js'${asModules}
`,
  );
}
