// JavaScript without a page: Node in its versions, Deno, Bun, workerd.

import { NODE_24, nodeOfNpm } from '../lib/node.js';

const GROUP = 'Runtimes';

const MODULE = `import { createAnalyzer } from 'mixed-feelings';
import { outcome } from './consumer.js';
console.log(JSON.stringify(await outcome(createAnalyzer)));
`;

/** A CommonJS script; the consumer is a module, and comes in as such. */
const REQUIRE = `const { createAnalyzer } = require('mixed-feelings');
import('./consumer.js').then(async ({ outcome }) => console.log(JSON.stringify(await outcome(createAnalyzer))));
`;

const THREAD = `import { Worker, isMainThread, parentPort } from 'node:worker_threads';
import { createAnalyzer } from 'mixed-feelings';
import { outcome } from './consumer.js';
if (isMainThread) {
  const thread = new Worker(new URL(import.meta.url));
  thread.on('message', (answer) => console.log(JSON.stringify(answer)));
} else {
  parentPort.postMessage(await outcome(createAnalyzer));
}
`;

/** Pictures by path and by `file:` URL; the process must end by itself though nothing is disposed of. */
const FILES = `import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { createAnalyzer } from 'mixed-feelings';
import { outcome } from './consumer.js';
import { posts } from './posts.js';
writeFileSync('picture.jpg', posts.picture.image);
writeFileSync('both.jpg', posts.both.image);
posts.picture.image = './picture.jpg';
posts.both.image = pathToFileURL('both.jpg');
console.log(JSON.stringify(await outcome(createAnalyzer)));
`;

const LEFT_OPEN = `import { createAnalyzer } from 'mixed-feelings';
import { outcome } from './consumer.js';
const left = async (options) => {
  const analyzer = await createAnalyzer(options);
  return { ...analyzer, dispose() {} };
};
console.log(JSON.stringify(await outcome(left)));
`;

/** What is run in each: a title, and the script. */
const SCRIPTS = {
  esm: { title: 'a module', file: 'main.mjs', text: MODULE },
  require: { title: '`require` in a script', file: 'main.cjs', text: REQUIRE },
  thread: { title: 'in a thread of `node:worker_threads`', file: 'thread.mjs', text: THREAD },
  files: { title: 'pictures by path and `file:` URL', file: 'files.mjs', text: FILES },
  open: { title: 'ends by itself without `dispose()`', file: 'open.mjs', text: LEFT_OPEN },
};

/** The runtimes: which npm packages bring them, and how their program is called. */
const RUNTIMES = {
  node: { title: 'Node', scripts: ['esm', 'require', 'thread', 'files', 'open'], program: () => process.execPath },
  node22: { title: 'Node 22', scripts: ['esm', 'require', 'thread', 'files'], ...nodeOfNpm('22.23.3') },
  node24: { title: 'Node 24', scripts: ['esm', 'require', 'thread', 'files'], ...NODE_24 },
  deno: {
    title: 'Deno',
    scripts: ['esm', 'files', 'open'],
    packages: { deno: '2.9.6' },
    program: (project) => project.bin('deno'),
    args: ['run', '--allow-all', '--node-modules-dir=manual'],
  },
  bun: { title: 'Bun', scripts: ['esm', 'require', 'files', 'open'], packages: { bun: '1.4.5' }, program: (project) => project.bin('bun') },
};

function row(runtime, script) {
  const { title, packages, program, args = [] } = RUNTIMES[runtime];
  const { title: what, file, text } = SCRIPTS[script];
  return {
    name: `${runtime}-${script}`,
    group: GROUP,
    title: `${title}: ${what}`,
    fast: runtime === 'node' && script !== 'open',
    packages,
    shows: [],
    scripts: runtime === 'deno' || runtime === 'bun',
    files: { [file]: text },
    async run(project) {
      const outcome = await project.outcomeOf(program(project), ...args, file);
      const version = (await project.run(program(project), '--version')).trim().split('\n')[0].replace(/^deno |\(.*\)|^v/g, '').trim();
      return { ...outcome, versions: [`${title.split(' ')[0]} ${version}`] };
    },
  };
}

export const runtimes = Object.entries(RUNTIMES).flatMap(([runtime, { scripts }]) => scripts.map((script) => row(runtime, script)));
