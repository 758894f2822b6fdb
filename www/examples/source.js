// The pages about the examples show the examples' own files: what is read there is what runs.

import { copyOnClick } from '../copying.js';

for (const figure of document.querySelectorAll('[data-source]')) {
  const name = figure.dataset.source;
  const code = document.createElement('code');
  const block = document.createElement('pre');
  block.tabIndex = 0; // it scrolls sideways, by keyboard too
  block.setAttribute('role', 'region');
  block.setAttribute('aria-label', name);
  block.append(code);
  const copy = document.createElement('button');
  copy.type = 'button';
  copy.className = 'plain';
  copy.textContent = 'Copy';
  copyOnClick(copy, () => code.textContent);
  figure.append(block, copy);
  show(name, code);
}

async function show(name, code) {
  const response = await fetch(new URL(name, document.baseURI)).catch(() => null);
  code.textContent = response?.ok ? await response.text() : `${name} could not be fetched.`;
}
