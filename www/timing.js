// How long the reading took, stage by stage, as a sentence and as a bar.

import { milliseconds } from './sentences.js';

/** The stages of an analysis in their order, as the package times them, and what they are called here. */
const STAGES = [
  ['tokenize', 'word pieces', 'words'],
  ['text', 'words', 'words'],
  ['decode', 'opening the photo', 'picture'],
  ['image', 'looking at it', 'picture'],
  ['fusion', 'both together', 'both'],
];

const TOLD = 0.5; // ms; a shorter stage is a line in the bar and no more

/** The stages that took time as `{ name, kind, ms }`; what is left of the whole is waiting and passing on. */
export function stagesOf(timings) {
  const stages = STAGES.map(([key, name, kind]) => ({ name, kind, ms: timings[key] ?? 0 }));
  const rest = timings.total - stages.reduce((sum, { ms }) => sum + ms, 0);
  return [...stages, { name: 'waiting', kind: 'rest', ms: rest }].filter(({ ms }) => ms > 0.05);
}

/** "Read in 34 ms on this device." What was kept from the last reading takes no time. */
export function timingText({ timings, incomplete }) {
  return `Read in ${milliseconds(timings.total)} on this device.${incomplete ? ' Parts of the picture are missing.' : ''}`;
}

/** Draws the stages of `timings` into the bar and the list of `host`. */
export function showStages(host, timings) {
  const stages = stagesOf(timings);
  const [bar, list] = host.children;
  bar.replaceChildren(
    ...stages.map(({ kind, ms }) => {
      const part = document.createElement('span');
      part.dataset.kind = kind;
      part.style.flexGrow = ms;
      return part;
    }),
  );
  list.replaceChildren(
    ...stages.filter(({ ms }) => ms >= TOLD).map(({ name, kind, ms }) => {
      const item = document.createElement('li');
      item.dataset.kind = kind;
      item.textContent = `${name} ${milliseconds(ms)}`;
      return item;
    }),
  );
}
