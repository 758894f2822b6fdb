// The mood curve: a dot an entry, and a line that follows them slowly, as moods do.

import { tint } from '../../tones.js';

const SVG = 'http://www.w3.org/2000/svg';
const HEIGHT = 230;
const EDGE = { left: 12, right: 12, top: 24, bottom: 28 };
const DAY = 86_400_000;
const BREADTH = 2 * DAY; // how far an entry counts for the days around it
const POINTS = 120;

/** The mean of the entries' valences at a time, those near it counting most. */
export function moodAt(entries, at) {
  let [sum, weights] = [0, 0];
  for (const entry of entries) {
    const weight = Math.exp(-0.5 * ((entry.at - at) / BREADTH) ** 2) + 1e-9; // after a long silence the nearest still counts
    sum += weight * entry.reading.valence;
    weights += weight;
  }
  return sum / weights;
}

function element(name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text) node.textContent = text;
  return node;
}

const date = (at) => new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' }).format(at);

/** Draws `entries`, in order of time, into `host`; `chosen(entry)` when a dot is pressed. */
export function drawCurve(host, entries, labels, chosen) {
  if (!entries.length) return host.replaceChildren();
  const width = Math.max(280, host.clientWidth);
  const [first, last] = [entries[0].at, Math.max(entries.at(-1).at, entries[0].at + DAY)];
  const x = (at) => EDGE.left + ((at - first) / (last - first)) * (width - EDGE.left - EDGE.right);
  const y = (valence) => EDGE.top + ((1 - valence) / 2) * (HEIGHT - EDGE.top - EDGE.bottom);

  const svg = element('svg', { class: 'curve', viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, role: 'img' });
  svg.append(
    element('line', { class: 'zero', x1: 0, x2: width, y1: y(0), y2: y(0) }),
    element('text', { x: 0, y: 13 }, 'pleasant'),
    element('text', { x: 0, y: HEIGHT - EDGE.bottom + 8 }, 'unpleasant'),
    element('text', { x: width, y: HEIGHT - 4, 'text-anchor': 'end' }, date(entries.at(-1).at)),
  );
  if (entries.length > 1) {
    const points = Array.from({ length: POINTS + 1 }, (_, i) => first + (i / POINTS) * (last - first));
    const line = points.map((at) => `${x(at).toFixed(1)},${y(moodAt(entries, at)).toFixed(1)}`).join(' ');
    svg.append(element('polyline', { class: 'mood', points: line }));
  }
  for (const entry of entries) {
    const dot = element('circle', { class: 'dot', cx: x(entry.at), cy: y(entry.reading.valence), r: 6 });
    tint(dot, entry.reading.sure === false ? '' : entry.reading.label, labels); // what is not sure has no tone
    dot.append(element('title', {}, `${date(entry.at)}: ${entry.text.slice(0, 80) || 'a photo'}`));
    dot.addEventListener('click', () => chosen(entry));
    svg.append(dot);
  }
  const [mean, now] = [entries.reduce((sum, { reading }) => sum + reading.valence, 0) / entries.length, moodAt(entries, entries.at(-1).at)];
  svg.setAttribute(
    'aria-label',
    `${entries.length} entries from ${date(first)} to ${date(entries.at(-1).at)}. Valence from -1 to 1: ${mean.toFixed(2)} on average, ${now.toFixed(2)} of late.`,
  );
  host.replaceChildren(svg);
}
