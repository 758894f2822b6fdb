// The live table: of ten thousand rows only those in sight are there, the rest is room to scroll.

import { percent } from '../sentences.js';
import { tint } from '../tones.js';
import { sayDay } from './dates.js';
import { drawThumb } from './thumbs.js';

const ROW = 64; // pixels, as many.css has it
const SPARE = 6; // rows above and below those in sight

/**
 * Wires the table in `scroller`. `sorted(column)` is called when a head is pressed, `opened(record)` when a row is. Returns
 * `show(records, { labels, sort, down })`. `corrected(record, label)` is called when a reading is said to be another.
 */
export function createGrid(scroller, { sorted, opened, corrected }) {
  const table = scroller.querySelector('table');
  const [above, body, below] = table.tBodies;
  const rows = new Map(); // record -> { row, stamp } of those that are there
  let records = [];
  let labels = [];
  let frame = 0;

  table.tHead.addEventListener('click', (event) => {
    const column = event.target.closest('button')?.dataset.sort;
    if (column) sorted(column);
  });
  body.addEventListener('click', (event) => {
    const row = event.target.closest('tr');
    if (row && !event.target.closest('select')) opened(row.record);
  });
  body.addEventListener('change', (event) => {
    corrected(event.target.closest('tr').record, event.target.value);
    later();
  });
  scroller.addEventListener('scroll', later, { passive: true });
  new ResizeObserver(later).observe(scroller);

  function later() {
    frame ||= requestAnimationFrame(draw);
  }

  function draw() {
    frame = 0;
    const first = Math.max(0, Math.floor((scroller.scrollTop - table.tHead.offsetHeight) / ROW) - SPARE);
    const last = Math.min(records.length, Math.ceil((scroller.scrollTop + scroller.clientHeight) / ROW) + SPARE);
    above.rows[0].style.height = `${first * ROW}px`;
    below.rows[0].style.height = `${(records.length - last) * ROW}px`;
    const seen = records.slice(first, last);
    for (const [record, { row }] of rows) {
      if (seen.includes(record)) continue;
      if (row.contains(document.activeElement)) scroller.focus({ preventScroll: true }); // what it was on is gone
      row.remove();
      rows.delete(record);
    }
    seen.forEach((record, i) => {
      const known = rows.get(record);
      const row = known?.row ?? emptyRow(record);
      const stamp = `${record.state} ${record.label} ${record.correction}`;
      if (known?.stamp !== stamp) fill(row, record, labels);
      rows.set(record, { row, stamp });
      row.setAttribute('aria-rowindex', first + i + 2);
      if (body.rows[i] !== row) body.insertBefore(row, body.rows[i] ?? null);
    });
  }

  return {
    show(next, { labels: names, sort, down }) {
      records = next;
      labels = names;
      table.setAttribute('aria-rowcount', records.length + 1);
      table.tHead.rows[0].setAttribute('aria-rowindex', 1);
      for (const head of table.tHead.rows[0].cells) {
        const chosen = head.querySelector('button')?.dataset.sort === sort;
        if (chosen) head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
        else head.removeAttribute('aria-sort');
      }
      later();
    },

    /** Back to the first row. */
    top: () => scroller.scrollTo({ top: 0 }),
  };
}

function make(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function emptyRow(record) {
  const row = document.createElement('tr');
  row.record = record;
  const photo = make('td', 'photo-cell');
  if (record.photo) {
    const canvas = make('canvas', 'thumb');
    canvas.setAttribute('role', 'img');
    canvas.setAttribute('aria-label', record.photo.name);
    drawThumb(canvas, record.photo);
    photo.append(canvas);
  } else if (record.missing) {
    photo.append(make('span', 'lost', 'not here'));
    photo.title = `${record.name} is not among the photos`;
  } else {
    photo.append(make('span', 'lost', record.number.toLocaleString('en')));
  }
  const post = make('td', 'post-cell');
  const open = make('button', 'open', record.text.trim() || record.name);
  open.type = 'button';
  post.append(open);
  row.append(photo, post, make('td', 'reading-cell'), make('td', 'contradiction-cell wide'), make('td', 'day-cell wide', record.day ? sayDay(record.day) : ''));
  return row;
}

function fill(row, record, labels) {
  const [, , reading, contradiction] = row.cells;
  row.dataset.state = record.state;
  if (record.state === 'failed') {
    reading.replaceChildren(make('span', 'lost', 'could not be read'));
  } else if (record.state === 'read') {
    const { label, correction, sure } = record;
    const yours = correction !== undefined && correction !== label;
    const name = answer(row, yours ? correction : label, record, labels);
    const remark = yours ? ' yours' : sure ? '' : ' not sure';
    // It is not taken out and put back: it may have the focus.
    if (name.parentNode !== reading) reading.replaceChildren(name);
    while (name.nextSibling) name.nextSibling.remove();
    reading.append(make('small', '', remark), lane(record, labels));
    contradiction.textContent = record.contradiction == null ? '' : percent(record.contradiction);
    row.classList.toggle('contradicts', record.contradicts === true);
  }
}

/** The label, which is a choice of all of them for who knows better. What has the focus keeps it. */
function answer(row, shown, { number }, labels) {
  const old = row.querySelector('.correctable');
  const whole = old ?? make('span', 'correctable');
  if (!old) {
    const select = make('select');
    select.setAttribute('aria-label', `What post ${number} feels`);
    select.append(...labels.map(({ name }) => new Option(name, name)));
    whole.append(make('span', 'answer'), select);
  }
  const [name, select] = whole.children;
  name.textContent = select.value = shown;
  tint(name, shown, labels);
  return whole;
}

/** A thread in small: where words, picture and post lie between unpleasant and pleasant. */
function lane({ valence, label, words, picture }, labels) {
  const line = make('span', 'lane-line');
  line.setAttribute('aria-hidden', 'true');
  const place = (className, value, name) => {
    const dot = make('span', className);
    tint(dot, name, labels);
    dot.style.left = `${50 + 50 * value}%`;
    line.append(dot);
  };
  if (words && picture) {
    const [low, high] = [words.valence, picture.valence].sort((a, b) => a - b);
    const string = make('span', 'string');
    string.style.left = `${50 + 50 * low}%`;
    string.style.width = `${50 * (high - low)}%`;
    line.append(string);
    place('side words-dot', words.valence, words.label);
    place('side picture-dot', picture.valence, picture.label);
  }
  place('whole-dot', valence, label);
  return line;
}
