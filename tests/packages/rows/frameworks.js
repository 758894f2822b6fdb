// Frameworks: the page is written on a server first, where the import must do nothing, and then runs in Chromium.

import { needs } from '../lib/browsers.js';
import { againFromCache, inPage } from '../lib/page.js';

const GROUP = 'Frameworks, built page in Chromium';

const NEXT = { next: '16.4.6', react: '19.3.0', 'react-dom': '19.3.0' };

const NEXT_FILES = {
  'next.config.mjs': 'export default { turbopack: { root: import.meta.dirname } };\n',
  'app/layout.js': `export default function Layout({ children }) {
  return <html lang="en"><body>{children}</body></html>;
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
      '@sveltejs/kit': '@KIT@',
      '@sveltejs/adapter-static': '@STATIC@',
      '@sveltejs/vite-plugin-svelte': '@PLUGIN@',
      svelte: '@SVELTE@',
      vite: '8.3.8',
    },
    shows: ['@sveltejs/kit', 'vite'],
    files: {
      'svelte.config.js': `import adapter from '@sveltejs/adapter-static';\nexport default { kit: { adapter: adapter() } };\n`,
      'vite.config.js': `import { sveltekit } from '@sveltejs/kit/vite';\nexport default { plugins: [sveltekit()] };\n`,
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
      await project.run(project.bin('vite'), 'build');
      return inPage(project, { root: 'build', visits: [againFromCache] });
    },
  },
  {
    name: 'astro',
    group: GROUP,
    title: 'Astro',
    packages: { astro: '7.3.5' },
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
    needs: () => needs('chromium')() ?? nodeIsOlderThan(22, 12, 'Astro 7'),
    async run(project) {
      await project.run(project.bin('astro'), 'build');
      return inPage(project, { root: 'dist', visits: [againFromCache] });
    },
  },
];

/** Why a tool that needs a newer Node cannot run here. */
function nodeIsOlderThan(major, minor, tool) {
  const [ownMajor, ownMinor] = process.versions.node.split('.').map(Number);
  const old = ownMajor < major || (ownMajor === major && ownMinor < minor);
  return old ? `${tool} needs Node ${major}.${minor} and this is ${process.versions.node}` : undefined;
}
