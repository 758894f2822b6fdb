// Frameworks: the page is written on a server first, where the import must do nothing, and then runs in Chromium.

import { needs } from '../lib/browsers.js';
import { NODE_24 } from '../lib/node.js';
import { againFromCache, inPage } from '../lib/page.js';

const GROUP = 'Frameworks, built page in Chromium';

/** Next.js and what it needs. */
export const NEXT = { next: '16.4.6', react: '19.3.1', 'react-dom': '19.3.1' };

const NEXT_FILES = {
  'next.config.mjs': 'export default { turbopack: { root: import.meta.dirname } };\n',
  'app/layout.js': `export default function Layout({ children }) {
  return <html lang="en"><head><link rel="icon" href="data:," /></head><body>{children}</body></html>;
}
`,
  // A component of the server's: it imports the package too.
  'app/page.js': `import { createAnalyzer } from 'mixed-feelings';
import Consumer from './consumer.js';
export default function Page() {
  return <main data-server={typeof createAnalyzer}><Consumer /></main>;
}
`,
  'app/consumer.js': `'use client';
import { useEffect } from 'react';
import { createAnalyzer } from 'mixed-feelings';
import { outcome } from '../consumer.js';
export default function Consumer() {
  useEffect(() => {
    window.outcome ??= outcome(createAnalyzer);
  }, []);
  return <p>asks</p>;
}
`,
};

function next(name, title, ...how) {
  return {
    name,
    group: GROUP,
    title,
    packages: NEXT,
    shows: ['next'],
    files: NEXT_FILES,
    needs: needs('chromium'),
    async run(project) {
      await project.run(project.bin('next'), 'build', ...how);
      const url = await project.start(project.bin('next'), 'start', '--hostname', '127.0.0.1', '--port', '0');
      const html = await (await fetch(url)).text();
      if (!html.includes('data-server="function"')) return { error: `the server's page is not what it should be: ${html.slice(0, 300)}` };
      return inPage(project, { url });
    },
  };
}

export const frameworks = [
  next('next', 'Next.js, Turbopack'),
  next('next-webpack', 'Next.js, webpack', '--webpack'),
  {
    name: 'sveltekit',
    group: GROUP,
    title: 'SvelteKit, prerendered',
    packages: {
      '@sveltejs/kit': '3.2.0',
      '@sveltejs/adapter-static': '4.0.1',
      '@sveltejs/vite-plugin-svelte': '7.3.1',
      svelte: '5.57.3',
      vite: '8.3.8',
      ...NODE_24.packages,
    },
    shows: ['@sveltejs/kit', 'vite'],
    files: {
      'vite.config.js': `import adapter from '@sveltejs/adapter-static';
import { sveltekit } from '@sveltejs/kit/vite';
export default { plugins: [sveltekit({ adapter: adapter() })] };
`,
      'src/app.html': '<!doctype html><html lang="en"><head>%sveltekit.head%</head><body>%sveltekit.body%</body></html>\n',
      'src/routes/+layout.js': 'export const prerender = true;\n',
      'src/routes/+page.svelte': `<script>
  import { onMount } from 'svelte';
  import { createAnalyzer } from 'mixed-feelings';
  import { outcome } from '../../consumer.js';
  onMount(() => {
    window.outcome = outcome(createAnalyzer);
  });
</script>
<p>{typeof createAnalyzer}</p>
`,
    },
    needs: needs('chromium'),
    async run(project) {
      await project.run(NODE_24.program(project), project.bin('vite'), 'build');
      return inPage(project, { root: 'build', visits: [againFromCache] });
    },
  },
  {
    name: 'astro',
    group: GROUP,
    title: 'Astro',
    packages: { astro: '7.3.5', ...NODE_24.packages },
    shows: ['astro'],
    files: {
      'src/pages/index.astro': `---
import { createAnalyzer } from 'mixed-feelings';
---
<html lang="en">
  <head><meta charset="utf-8"><title>{typeof createAnalyzer}</title></head>
  <body>
    <script>
      import { createAnalyzer } from 'mixed-feelings';
      import { outcome } from '../../consumer.js';
      window.outcome = outcome(createAnalyzer);
    </script>
  </body>
</html>
`,
    },
    needs: needs('chromium'),
    async run(project) {
      await project.run(NODE_24.program(project), project.bin('astro'), 'build');
      return inPage(project, { root: 'dist', visits: [againFromCache] });
    },
  },
];
