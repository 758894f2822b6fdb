// Edge runtimes: workerd, which compiles nothing while it runs and has no decoder of pictures.

import { NODE_24 } from '../lib/node.js';
import { sample } from '../lib/samples.js';
import { NEXT } from './frameworks.js';

/** A file of the complete examples in the package's page on edge runtimes. */
const example = (name) => sample('edge.md', name);

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

/** A route of the edge runtime without this package. */
const EMPTY_ROUTE = `export const runtime = 'edge';
export const POST = () => new Response('nothing');
`;

/** The line of a failed build that says why. */
const reason = ({ message }) => message.split('\n').find((line) => line.startsWith('Error: ')) ?? message;

/** `file` is one of the examples, which answers at `path`; its weights come from the site's own files. */
function next(name, title, file, path, ...how) {
  return {
    name,
    group: 'Runtimes',
    title,
    packages: NEXT,
    shows: ['next'],
    files: {
      'next.config.mjs': 'export default { turbopack: { root: import.meta.dirname } };\n',
      'app/layout.js': 'export default ({ children }) => <html lang="en"><body>{children}</body></html>;\n',
      'app/page.js': 'export default () => <p>a consumer</p>;\n',
      [file]: example(file),
      'asks.js': ASKS,
    },
    async run(project) {
      project.copy('node_modules/mixed-feelings/mixed-feelings-small.safetensors', 'public/mixed-feelings-small.safetensors');
      project.copy('node_modules/mixed-feelings/dist/decoder.wasm', 'wasm/decoder.wasm');
      project.copy('node_modules/mixed-feelings/dist/simd128/engine_bg.wasm', 'wasm/simd128.wasm');
      const build = () => project.run(project.bin('next'), 'build', ...how);
      try {
        await build();
      } catch (error) {
        if (file !== ROUTE[0]) throw error;
        // Is it the package, or can this Next.js build no such route?
        project.write(file, EMPTY_ROUTE);
        const empty = await build().catch((error) => error);
        if (empty instanceof Error) return { impossible: `Next.js fails to build an empty route of the edge runtime too: ${reason(empty)}` };
        throw error;
      }
      const url = await project.start(project.bin('next'), 'start', '--hostname', '127.0.0.1', '--port', '0');
      return project.outcomeOf(process.execPath, 'asks.js', `${url}${path}`);
    },
  };
}

const ROUTE = ['app/api/route.js', 'api'];

export const edge = [
  next('next-edge', 'Next.js, a route on its edge runtime, Turbopack', ...ROUTE),
  next('next-edge-webpack', 'Next.js, a route on its edge runtime, webpack', ...ROUTE, '--webpack'),
  next('next-middleware', 'Next.js, a middleware, Turbopack', 'middleware.js', 'api/feelings'),
  {
    name: 'workerd',
    group: 'Runtimes',
    title: 'workerd (Cloudflare Workers), [the example](../../pkg/docs/edge.md#cloudflare-workers) in wrangler',
    packages: { wrangler: '4.164.0', ...NODE_24.packages },
    shows: ['wrangler', 'workerd'],
    files: { ...Object.fromEntries(['worker.js', 'split.js', 'wrangler.json'].map((name) => [name, example(name)])), 'asks.js': ASKS },
    async run(project) {
      const node = NODE_24.program(project);
      await project.run(node, 'split.js');
      const url = await project.start(node, project.bin('wrangler'), 'dev', '--ip', '127.0.0.1', '--port', '0', '--inspector-port', '0');
      const outcome = await project.outcomeOf(node, 'asks.js', url);
      const { memory } = await (await fetch(url)).json();
      const megabytes = Math.round(memory / 1e6);
      // An isolate has 128 MB for everything; JavaScript needs some of it.
      return megabytes < 100 ? { ...outcome, note: `${megabytes} MB of wasm memory` } : { error: `takes ${megabytes} MB of wasm memory` };
    },
  },
];
