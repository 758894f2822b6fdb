// Every post with words and a picture as a dot: from left to right how pleasant the words are, upwards the picture. On the
// diagonal they agree; the further off it, the more they pull apart.

import { toneOf } from '../tones.js';

const EDGE = 14; // pixels around the field
const REACH = 14; // pixels from the pointer in which a dot is meant
const CORNERS = [
  { words: -1, picture: 1, name: 'words unpleasant, picture pleasant' },
  { words: 1, picture: 1, name: 'both pleasant' },
  { words: -1, picture: -1, name: 'both unpleasant' },
  { words: 1, picture: -1, name: 'words pleasant, picture unpleasant' },
];

/** How many of `records` lie in each corner, in the order of reading: upper left, upper right, lower left, lower right. */
export function cornersOf(records) {
  return CORNERS.map(({ words, picture, name }) => ({
    name,
    number: records.filter((r) => r.words.valence * words > 0 && r.picture.valence * picture > 0).length,
  }));
}

/** Wires `canvas`, with `hint` beside it; `opened(record)` when a dot is pressed. Returns `show(records, labels)`. */
export function createQuadrant(canvas, hint, opened) {
  let records = [];
  let labels = [];
  let tones = new Map();
  const usual = hint.textContent;

  const side = () => canvas.clientWidth;
  const x = (record) => EDGE + ((record.words.valence + 1) / 2) * (side() - 2 * EDGE);
  const y = (record) => side() - EDGE - ((record.picture.valence + 1) / 2) * (side() - 2 * EDGE);

  function draw() {
    if (!side()) return;
    const scale = Math.min(2, devicePixelRatio || 1);
    canvas.width = canvas.height = Math.round(side() * scale);
    const context = canvas.getContext('2d');
    context.scale(scale, scale);
    const style = getComputedStyle(canvas);
    drawAxes(context, style.borderTopColor);
    context.globalAlpha = records.length > 2000 ? 0.45 : 0.78;
    const radius = records.length > 2000 ? 2.5 : records.length > 300 ? 3.5 : 5;
    for (const record of records) {
      context.fillStyle = tones.get(record.label);
      context.beginPath();
      context.arc(x(record), y(record), radius, 0, 2 * Math.PI);
      context.fill();
    }
    context.globalAlpha = 1;
    context.strokeStyle = style.color;
    context.lineWidth = 1.5;
    for (const record of records.filter(({ contradicts }) => contradicts)) {
      context.beginPath();
      context.arc(x(record), y(record), radius + 2.5, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  function drawAxes(context, colour) {
    const [middle, far] = [side() / 2, side() - EDGE];
    context.strokeStyle = colour;
    context.lineWidth = 1;
    const line = (...points) => {
      context.beginPath();
      points.forEach(([px, py], i) => (i ? context.lineTo(px, py) : context.moveTo(px, py)));
      context.stroke();
    };
    line([EDGE, middle], [far, middle]);
    line([middle, EDGE], [middle, far]);
    context.setLineDash([2, 4]);
    line([EDGE, far], [far, EDGE]);
    context.setLineDash([]);
  }

  /** The nearest record within reach of a pointer event. */
  function under({ offsetX, offsetY }) {
    let [best, distance] = [null, REACH];
    for (const record of records) {
      const away = Math.hypot(x(record) - offsetX, y(record) - offsetY);
      if (away <= distance) [best, distance] = [record, away];
    }
    return best;
  }

  canvas.addEventListener('pointermove', (event) => {
    const record = under(event);
    canvas.style.cursor = record ? 'pointer' : '';
    hint.textContent = record ? record.text.trim() || record.name : usual;
  });
  canvas.addEventListener('pointerleave', () => (hint.textContent = usual));
  canvas.addEventListener('click', (event) => {
    const record = under(event);
    if (record) opened(record);
  });

  function repaint() {
    tones = new Map(labels.map(({ name }) => [name, `rgb(${toneOf(name, labels).join(' ')})`]));
    draw();
  }
  new ResizeObserver(draw).observe(canvas);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', repaint);
  new MutationObserver(repaint).observe(document.documentElement, { attributeFilter: ['data-theme'] });

  return function show(all, names) {
    records = all.filter((record) => record.words && record.picture);
    if (labels !== names || !tones.size) {
      labels = names;
      repaint();
    } else {
      draw();
    }
    const said = cornersOf(records).map(({ name, number }) => `${name}: ${number}`);
    canvas.setAttribute('aria-label', `${records.length} posts with words and a picture. ${said.join('; ')}.`);
    return records.length;
  };
}
