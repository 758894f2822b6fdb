// The thread: three lanes on one scale from unpleasant to pleasant, a dot for the words, the whole post and the picture,
// and a string tied through them. Straight when all agree; bent when they pull apart.

import { tint } from './tones.js';

const LEFT = 78; // room for the lane names, in pixels
const RIGHT = 12;
const HEIGHT = 160;
const LANES = { text: 46, whole: 92, image: 138 };
const NAMES = { text: 'words', whole: 'the post', image: 'picture' };
const MIDDLE = { text: 0, whole: 0, image: 0 };
const SVG = 'http://www.w3.org/2000/svg';

function element(name, className, text) {
  const node = document.createElementNS(SVG, name);
  node.setAttribute('class', className);
  if (text) node.textContent = text;
  return node;
}

function set(node, attributes) {
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
}

/** A gradient down the lanes from the words' tone to the picture's: `show(textTone, imageTone)`. */
function gradient(id) {
  const node = element('linearGradient', '');
  // In the drawing's own units: a string that hangs straight down has no box to measure by.
  set(node, { id, gradientUnits: 'userSpaceOnUse', x1: 0, x2: 0, y1: LANES.text, y2: LANES.image });
  const stops = [element('stop', 'from'), element('stop', 'to')];
  stops.forEach((stop, i) => set(stop, { offset: i }));
  node.append(...stops);
  return { node, stops };
}

/** Draws the empty thread into `host` and returns `show(analysis | null)`. */
export function createThread(host) {
  const svg = element('svg', 'thread');
  const low = element('text', 'end', 'unpleasant');
  const high = element('text', 'end', 'pleasant');
  const zero = element('line', 'zero');
  const string = element('path', 'string');
  const lanes = {};
  const dots = {};
  svg.append(low, high, zero);
  for (const [lane, y] of Object.entries(LANES)) {
    const name = element('text', lane, NAMES[lane]);
    set(name, { x: 0, y: y + 4 });
    lanes[lane] = element('line', 'lane');
    dots[lane] = element('circle', 'dot');
    set(dots[lane], { r: lane === 'whole' ? 11 : 8, cy: y });
    svg.append(name, lanes[lane]);
  }
  const pull = gradient('pull');
  svg.append(pull.node, string, ...Object.values(dots));
  set(svg, { role: 'img', height: HEIGHT });
  set(high, { 'text-anchor': 'end' });
  host.append(svg);

  const calm = matchMedia('(prefers-reduced-motion: reduce)');
  let width = 560;
  let present = [];
  let shown = MIDDLE;
  let frame = 0;

  const x = (valence) => LEFT + ((valence + 1) / 2) * (width - LEFT - RIGHT);

  function layOut() {
    set(svg, { viewBox: `0 0 ${width} ${HEIGHT}` });
    set(low, { x: x(-1), y: 14 });
    set(high, { x: x(1), y: 14 });
    set(zero, { x1: x(0), x2: x(0), y1: 26, y2: HEIGHT - 4 });
    for (const [lane, y] of Object.entries(LANES)) set(lanes[lane], { x1: x(-1), x2: x(1), y1: y, y2: y });
    draw(shown);
  }

  function draw(at) {
    for (const lane of Object.keys(LANES)) {
      set(dots[lane], { cx: x(at[lane]) });
      dots[lane].style.display = present.includes(lane) ? '' : 'none';
    }
    const points = present.map((lane) => [x(at[lane]), LANES[lane]]);
    const bends = points.slice(1).map(([px, py], i) => {
      const [qx, qy] = points[i];
      return `C ${qx} ${qy + 26}, ${px} ${py - 26}, ${px} ${py}`;
    });
    set(string, { d: bends.length ? `M ${points[0].join(' ')} ${bends.join(' ')}` : '' });
  }

  function moveTo(target) {
    cancelAnimationFrame(frame);
    const from = shown;
    shown = target;
    if (calm.matches) return draw(target);
    const start = performance.now();
    const step = (now) => {
      const t = Math.min(1, Math.max(0, now - start) / 320);
      const eased = 1 - (1 - t) ** 3;
      const between = Object.keys(LANES).map((lane) => [lane, from[lane] + (target[lane] - from[lane]) * eased]);
      draw(Object.fromEntries(between));
      if (t < 1) frame = requestAnimationFrame(step);
    };
    frame = requestAnimationFrame(step);
  }

  new ResizeObserver(() => {
    width = Math.max(240, host.clientWidth);
    cancelAnimationFrame(frame);
    layOut();
  }).observe(host);
  layOut();

  return function show(analysis) {
    const readings = analysis ? { text: analysis.text, whole: analysis, image: analysis.image } : {};
    const both = readings.text && readings.image;
    present = Object.keys(LANES).filter((lane) => readings[lane] && (both || lane !== 'whole'));
    for (const lane of present) tint(dots[lane], readings[lane].label, analysis.labels);
    svg.dataset.contradicts = String(Boolean(analysis?.contradicts));
    svg.dataset.both = String(Boolean(both));
    if (both) pull.stops.forEach((stop, i) => tint(stop, readings[i ? 'image' : 'text'].label, analysis.labels));
    const said = present.map((lane) => `${NAMES[lane]} ${readings[lane].valence.toFixed(2)}`).join(', ');
    svg.setAttribute(
      'aria-label',
      analysis ? `Valence from -1, unpleasant, to 1, pleasant: ${said}.` : 'Nothing read yet.',
    );
    const valences = Object.keys(LANES).map((lane) => [lane, (readings[lane] ?? analysis)?.valence ?? 0]);
    moveTo(Object.fromEntries(valences));
  };
}
