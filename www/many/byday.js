// How it went from day to day: pleasant posts upwards, unpleasant ones downwards, the mean valence as a line between.

import { many } from '../sentences.js';
import { daysBetween, groupOf, sayDay } from './dates.js';

const SVG = 'http://www.w3.org/2000/svg';
const HEIGHT = 240; // pixels
const [TOP, BOTTOM] = [8, 28];
const SPANS = [['day', 1, 62], ['week', 7, 430], ['month', 30.4, Infinity]]; // the span, its days, the most days in all

/** The records by day, week or month: `{ span, groups: [{ day, up, down, even, valence }] }`, days without posts included. */
export function groupsOf(records, labels) {
  const polarity = new Map(labels.map((label) => [label.name, label.polarity]));
  const dated = records.filter(({ state, day }) => state === 'read' && day);
  if (!dated.length) return { span: 'day', groups: [] };
  const days = dated.map(({ day }) => day).sort();
  const [first, last] = [days[0], days.at(-1)];
  const [span] = SPANS.find(([, , most]) => daysBetween(first, last) <= most);
  const groups = new Map();
  for (const day of walk(groupOf(first, span), groupOf(last, span), span)) groups.set(day, { day, up: 0, down: 0, even: 0, sum: 0 });
  for (const record of dated) {
    const group = groups.get(groupOf(record.day, span));
    const side = Math.sign(polarity.get(record.label) ?? 0);
    group[side > 0 ? 'up' : side < 0 ? 'down' : 'even'] += 1;
    group.sum += record.valence;
  }
  const mean = ({ up, down, even, sum }) => (up + down + even ? sum / (up + down + even) : null);
  return { span, groups: [...groups.values()].map((group) => ({ ...group, valence: mean(group) })) };
}

function* walk(from, to, span) {
  const date = new Date(`${from}T00:00:00Z`);
  for (let day = from; day <= to; day = date.toISOString().slice(0, 10)) {
    yield day;
    if (span === 'month') date.setUTCMonth(date.getUTCMonth() + 1);
    else date.setUTCDate(date.getUTCDate() + (span === 'week' ? 7 : 1));
  }
}

function element(name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text) node.textContent = text;
  return node;
}

const TITLES = { day: 'Day by day', week: 'Week by week', month: 'Month by month' };

/** Wires the chart in `host`, which is as wide as that, and its `title`. Returns `show(records, labels)`. */
export function createDays(host, title) {
  let shown = { span: 'day', groups: [] };
  const paint = () => host.replaceChildren(...(shown.groups.length ? [drawn(shown, Math.max(240, host.clientWidth))] : []));
  let width = 0;
  new ResizeObserver(() => {
    if (host.clientWidth === width) return; // it is as high as what is drawn
    width = host.clientWidth;
    paint();
  }).observe(host);

  return function show(records, labels) {
    shown = groupsOf(records, labels);
    title.textContent = TITLES[shown.span];
    paint();
  };
}

function drawn({ span, groups }, width) {
  const most = Math.max(1, ...groups.map(({ up, down }) => Math.max(up, down)));
  const middle = (TOP + HEIGHT - BOTTOM) / 2;
  const step = width / groups.length;
  const bar = Math.min(28, step * 0.72);
  const tall = (number) => (number / most) * (middle - TOP);
  const x = (i) => (i + 0.5) * step;
  const told = (day) => (span === 'day' ? sayDay(day) : `${span} of ${sayDay(day)}`);

  const svg = element('svg', { viewBox: `0 0 ${width} ${HEIGHT}`, class: 'days', role: 'img', 'aria-label': summary(groups, span, told) });
  svg.append(element('line', { class: 'zero', x1: 0, x2: width, y1: middle, y2: middle }));
  groups.forEach(({ day, up, down, even }, i) => {
    const column = element('g', {});
    const box = (side, number, y) =>
      number && column.append(element('rect', { class: side, x: x(i) - bar / 2, width: bar, y, height: tall(number), rx: Math.min(3, bar / 2) }));
    box('up', up, middle - tall(up));
    box('down', down, middle);
    column.append(element('title', {}, `${told(day)}: ${up} pleasant, ${down} unpleasant, ${even} in between`));
    svg.append(column);
  });
  const points = groups.map(({ valence }, i) => valence !== null && `${x(i)},${middle - valence * (middle - TOP)}`).filter(Boolean);
  svg.append(
    element('polyline', { class: 'mean', points: points.join(' ') }),
    element('text', { x: 0, y: HEIGHT - 6 }, sayDay(groups[0].day)),
    element('text', { x: width, y: HEIGHT - 6, 'text-anchor': 'end' }, sayDay(groups.at(-1).day)),
  );
  return svg;
}

/** The chart in words, for those who do not see it. */
function summary(groups, span, told) {
  const known = groups.filter(({ valence }) => valence !== null);
  const best = known.reduce((a, b) => (b.valence > a.valence ? b : a));
  const worst = known.reduce((a, b) => (b.valence < a.valence ? b : a));
  return `${many(groups.length, span)}. Most pleasant: ${told(best.day)}. Least pleasant: ${told(worst.day)}.`;
}
