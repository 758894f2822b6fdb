// The tables of the README name what api.txt names, and links in the package's pages lead somewhere. The code samples are compiled and
// run by the rows of tests/packages.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const pkg = new URL('../', import.meta.url);
const read = (name) => readFileSync(new URL(name, pkg), 'utf8');
const README = read('README.md');
const API = read('api.txt');

/** What the first column of the README's first table after `heading` names. */
function named(heading) {
  const from = README.indexOf(heading);
  assert.ok(from >= 0, heading);
  const [table] = /(?:^\|.*\n)+/m.exec(README.slice(from));
  return table.split('\n').slice(2).flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`([\w-]+)/g)].map(([, name]) => name)).sort();
}

/** The members of an interface of the report. */
function members(name) {
  const [, base, body] = new RegExp(`^export interface ${name}\\b(?:<[^>]*>)?(?: extends (\\w+))?[^{]*\\{\\n([\\s\\S]*?)^\\}`, 'm').exec(API);
  const own = [...body.matchAll(/^ {4}(?:readonly )?(\w+)\??[:(]/gm)].map(([, member]) => member);
  return [...new Set([...own, ...(base ? members(base) : [])])].sort();
}

test('the README has every option of createAnalyzer, and no other', () => {
  assert.deepEqual(named('## `createAnalyzer(options?)'), members('AnalyzerOptions'));
});

test('the README has every function of an analyzer, and no other', () => {
  assert.deepEqual(named('## The analyzer'), members('Analyzer'));
});

test('the README has every program of the `wasm` option', () => {
  const [row] = /^\| `wasm` \|.*$/m.exec(README);
  for (const program of ['relaxed-simd', 'simd128', 'decoder', 'webgpu']) assert.ok(row.includes(program), program);
});

test('the README has every field of an analysis, and no other', () => {
  assert.deepEqual(named('| field | |\n|---|---|\n| `label`'), members('Analysis'));
});

test('the README has every error code, and no other', () => {
  const unions = ['ErrorCode', 'EngineErrorCode'].map((name) => new RegExp(`export type ${name} = ([^;]*);`).exec(API)[1]);
  assert.deepEqual(named('| `code` | |'), [...new Set([...unions.join(' ').matchAll(/'([\w-]+)'/g)].map(([, code]) => code))].sort());
});

test('links of the README and of the pages lead to files and headings', () => {
  const anchor = (heading) => heading.toLowerCase().replace(/[^\w\- ]/g, '').trim().replaceAll(' ', '-');
  for (const page of ['README.md', ...readdirSync(new URL('docs', pkg)).map((name) => `docs/${name}`)]) {
    for (const [, link] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(link)) continue;
      const [file, heading] = link.split('#');
      const target = file ? new URL(file, new URL(page, pkg)) : new URL(page, pkg);
      assert.ok(existsSync(fileURLToPath(target)), `${page}: ${link}`);
      if (!heading) continue;
      const headings = [...readFileSync(target, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, text]) => anchor(text));
      assert.ok(headings.includes(heading), `${page}: ${link}; there are ${headings.join(', ')}`);
    }
  }
});
