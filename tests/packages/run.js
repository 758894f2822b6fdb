#!/usr/bin/env node
// Packs the package, installs it into one empty project after the other, and holds each one's answers to Chromium's.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { endAll, pack, Project } from './lib/project.js';
import { fault, markdown, putTable } from './lib/table.js';
import { browsers } from './rows/browsers.js';
import { bundlers } from './rows/bundlers.js';
import { docs } from './rows/docs.js';
import { edge } from './rows/edge.js';
import { elements } from './rows/elements.js';
import { extensions } from './rows/extensions.js';
import { frameworks } from './rows/frameworks.js';
import { runtimes } from './rows/runtimes.js';
import { types } from './rows/types.js';

const HELP = `node tests/packages/run.js [options]

Packs pkg/ (built before by \`cargo pack\`), installs the tarball into an empty project for each row, builds and runs it there,
and holds its answers to three posts to those of a plain page in Chromium. Ends with 1 if a row fails.

  --only NAME     this row alone; may be given more than once; \`NAME*\` stands for all that begin so
  --fast          the rows that \`cargo verify\` runs
  --list          print the rows and stop
  --json FILE     write the results there; what it has of other rows stays, so that the table can be made in pieces
  --markdown FILE put the table there too, between the lines <!-- table --> and <!-- /table --> if it has them
  --keep          leave the projects where they are, and say where
  --help          print this

Environment: CHROMIUM and FIREFOX name the browsers; otherwise they are looked for in /usr/bin.`;

const ALL = [...browsers, ...extensions, ...runtimes, ...edge, ...bundlers, ...frameworks, ...elements, ...types, ...docs];
const [REFERENCE] = browsers;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    fast: { type: 'boolean' },
    list: { type: 'boolean' },
    json: { type: 'string' },
    markdown: { type: 'string' },
    keep: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});

/** The rows that were asked for. */
function chosen({ only, fast }) {
  if (!only) return ALL.filter((row) => !fast || row.fast);
  const match = (pattern) => (pattern.endsWith('*') ? ({ name }) => name.startsWith(pattern.slice(0, -1)) : ({ name }) => name === pattern);
  const rows = only.flatMap((pattern) => {
    const named = ALL.filter(match(pattern));
    if (named.length === 0) throw new Error(`no row is called ${pattern}; --list names them`);
    return named;
  });
  return [...new Set(rows)];
}

/** Runs a row in a project of its own and returns what came of it: an outcome, or `{ error }`. */
async function play(row, folder, tarball) {
  let project;
  try {
    project = await Project.create(folder, tarball, row);
    const outcome = await row.run(project, tarball);
    const tools = (row.shows ?? Object.keys(row.packages ?? {})).map((name) => `${name} ${project.version(name)}`);
    return { ...outcome, versions: [...tools, ...(outcome.versions ?? [])] };
  } catch (error) {
    return { error: error.message };
  } finally {
    if (!options.keep) await project?.remove();
  }
}

/** What a file of results has. */
function earlier(file) {
  return file && existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [];
}

async function main() {
  if (options.help) return console.log(HELP);
  const rows = chosen(options);
  if (options.list) return rows.forEach(({ name, group, title }) => console.log(`${name.padEnd(28)} ${group}: ${title}`));
  const home = mkdtempSync(join(tmpdir(), 'mixed-feelings-packages-'));
  const remove = () => rmSync(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => {
      endAll();
      if (!options.keep) remove();
      process.exit(1);
    });
  }
  try {
    const { tarball, size } = await pack(home);
    console.error(`packed: ${(size / 1e6).toFixed(1)} MB`);
    const reference = await play(REFERENCE, join(home, 'reference'), tarball);
    if (reference.error) throw new Error(`a plain page in Chromium, which the rows are held to, fails: ${reference.error}`);
    const results = new Map(earlier(options.json).map((result) => [result.name, result]));
    for (const [number, row] of rows.entries()) {
      process.stderr.write(`[${number + 1}/${rows.length}] ${row.name}: ${row.title} ... `);
      const { name, group, title } = row;
      const began = performance.now();
      const missing = row.needs?.();
      const outcome = missing ? {} : row === REFERENCE ? reference : await play(row, join(home, row.name.replace(/\W/g, '-')), tarball);
      const { versions, backend, worker, note, impossible } = outcome;
      const why = missing ?? impossible?.replaceAll(home, '…');
      const wrong = why ? undefined : fault(outcome, reference);
      const status = why ? 'not run' : wrong ? 'fails' : 'same';
      const seconds = Math.round((performance.now() - began) / 100) / 10;
      const detail = (why ?? wrong ?? note)?.replaceAll(home, '…');
      results.set(name, { name, group, title, status, detail, versions, backend, worker, seconds });
      console.error(`${status} (${seconds} s)${why || wrong ? `\n    ${detail.slice(0, 1500)}` : ''}`);
      if (options.json) writeFileSync(options.json, JSON.stringify([...results.values()], null, 2));
    }
    const ordered = ALL.flatMap(({ name }) => results.get(name) ?? []);
    const table = markdown(ordered);
    if (options.markdown) putTable(options.markdown, table);
    console.log(table);
    const count = (status) => ordered.filter((result) => result.status === status).length;
    console.error(`${count('same')} give the same answer, ${count('fails')} fail, ${count('not run')} were not run`);
    if (count('fails') > 0) process.exitCode = 1;
  } finally {
    if (options.keep) console.error(`the projects are in ${home}`);
    else remove();
  }
}

await main();
