// Texts with colours: words marked as strongly as they weighed, labels in their tone.

import { largest, tint } from './tones.js';

/** Runs of `{ text, label? }`, as sentences.js makes them, as nodes: those with a label in its colour. */
export function toned(runs, labels) {
  return runs.map(({ text, label }) => {
    const node = document.createElement(label ? 'em' : 'span');
    if (label) tint(node, label, labels);
    node.textContent = text;
    return node;
  });
}

/** `text` as nodes, each weighed word in a `<mark>`; offsets are UTF-16 units, as JavaScript counts. */
export function marked(text, { label, labels, explanation }) {
  const words = explanation.words ?? [];
  const most = largest(words.map(({ weight }) => weight));
  const nodes = [];
  let at = 0;
  for (const { start, end, weight } of words) {
    if (start < at || end > text.length) continue;
    const mark = document.createElement('mark');
    tint(mark, label, labels);
    mark.classList.toggle('against', weight < 0);
    mark.style.setProperty('--weight', Math.abs(weight) / most);
    mark.textContent = text.slice(start, end);
    nodes.push(text.slice(at, start), mark);
    at = end;
  }
  return [...nodes, text.slice(at)];
}
