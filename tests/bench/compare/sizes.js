// What npm packs, and what a page downloads: its script as esbuild makes it small, and the files that it fetches, as gzip.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

import { build } from 'esbuild';

const HERE = fileURLToPath(new URL('./', import.meta.url));
const PKG = fileURLToPath(new URL('../../../pkg/', import.meta.url));
const gzip = (bytes) => gzipSync(bytes, { level: 9 }).length;

/** Bytes of the tarball of a package, without what it depends on. */
export function tarball({ name, ours }) {
  const folder = mkdtempSync(join(tmpdir(), 'mixed-feelings-compare-'));
  try {
    const pack = (what, cwd) =>
      execFileSync('npm', ['pack', ...what, '--json', '--ignore-scripts', '--pack-destination', folder], { cwd, stdio: ['ignore', 'pipe', 'ignore'] });
    const { version } = JSON.parse(readFileSync(ours ? `${PKG}package.json` : `${HERE}node_modules/${name}/package.json`, 'utf8'));
    const [{ size }] = JSON.parse(pack(ours ? [] : [`${name}@${version}`], ours ? PKG : HERE));
    return { version, size };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Bytes of gzip that a page needs for a text: `{ script, files }`. */
export async function download({ ours, page, files = [] }) {
  if (ours) {
    const script = (await Promise.all(['index', 'worker'].map((name) => small({ entryPoints: [`${PKG}dist/${name}.js`] })))).reduce((a, b) => a + b);
    const program = gzip(readFileSync(`${PKG}dist/relaxed-simd/engine_bg.wasm`));
    // Weights of 4 bits hardly shrink: hosts send them as they are.
    return { script, files: program + readFileSync(`${PKG}mixed-feelings-small.safetensors`).length };
  }
  const script = await small({ stdin: { contents: page, resolveDir: HERE } });
  return { script, files: files.reduce((sum, file) => sum + gzip(readFileSync(`${HERE}node_modules/${file}`)), 0) };
}

async function small(what) {
  const options = { bundle: true, minify: true, format: 'esm', target: 'es2022', platform: 'browser', write: false, logLevel: 'silent' };
  const { outputFiles } = await build({ ...options, ...what, external: ['node:*', 'fs', 'path', 'util', 'crypto', 'os'] });
  return outputFiles.reduce((sum, { contents }) => sum + gzip(contents), 0);
}
