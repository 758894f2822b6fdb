// Edge runtimes: workerd, which compiles nothing while it runs and has no decoder of pictures.

import { readFileSync } from 'node:fs';

import { NODE_24 } from '../lib/node.js';

const example = (name) => readFileSync(new URL(`../examples/workerd/${name}`, import.meta.url), 'utf8');

/** The table's posts, one request each, and what the analyzer says of itself. */
const ASKS = `import { posts } from './posts.js';
const [url] = process.argv.slice(2);
const answers = {};
for (const [name, { text, image }] of Object.entries(posts)) {
  const form = new FormData();
  if (text) form.set('text', text);
  if (image) form.set('image', new Blob([image]));
  const response = await fetch(url, { method: 'POST', body: form });
  const body = await response.text();
  if (!response.ok) throw new Error(\`\${name}: \${response.status} \${body}\`);
  const { timings, ...answer } = JSON.parse(body);
  answers[name] = answer;
}
console.log(JSON.stringify({ answers, backend: 'simd128', worker: false }));
`;

export const edge = [
  {
    name: 'workerd',
    group: 'Runtimes',
    title: 'workerd (Cloudflare Workers), [the example](examples/workerd/) in wrangler',
    packages: { wrangler: '4.164.0', ...NODE_24.packages },
    shows: ['wrangler', 'workerd'],
    files: { ...Object.fromEntries(['worker.js', 'split.js', 'wrangler.json'].map((name) => [name, example(name)])), 'asks.js': ASKS },
    async run(project) {
      const node = NODE_24.program(project);
      await project.run(node, 'split.js');
      const url = await project.start(node, project.bin('wrangler'), 'dev', '--ip', '127.0.0.1', '--port', '0', '--inspector-port', '0');
      return project.outcomeOf(node, 'asks.js', url);
    },
  },
];
