// The page of many posts: what is dropped becomes records, the model fills them in, charts and table show them as they come.

import { offerDevice } from '../device.js';
import { many } from '../sentences.js';
import { showTrouble } from '../trouble.js';
import { keepForOffline, wakeModel } from '../waking.js';
import { createDays } from './byday.js';
import { createCloser } from './closer.js';
import { createDistribution } from './distribution.js';
import { asCsv, asJson, download } from './download.js';
import { createGrid } from './grid.js';
import { createLessonBar } from './lesson-bar.js';
import { createLessons } from './lessons.js';
import { createQuadrant } from './quadrant.js';
import { count, fillIn, postOf, select } from './records.js';
import { createSource } from './source.js';

const SHOWN_EVERY = 250; // ms between two looks at what came in, at least
const SHARE = 12; // one part looking, so many parts not

const $ = (id) => document.getElementById(id);

const woken = wakeModel();
const choice = { label: null, kind: null, words: '', sort: 'number', down: false };
let records = [];
let labels = []; // the model's
let running = null; // an AbortController, while posts are read

/** The posts are others: what was said of the last ones is gone. */
function begin(next) {
  stop();
  running = null;
  records = next;
  Object.assign(choice, { label: null, kind: null, words: '', sort: 'number', down: false });
  $('search').value = '';
  $('stop').hidden = true;
  $('read').hidden = false;
  $('read').textContent = `Read ${many(records.length, 'post')}`;
  $('read').disabled = records.length === 0;
  $('run').hidden = $('answers').hidden = true;
}

// Reading

async function read() {
  stop();
  const controller = (running = new AbortController());
  const { signal } = controller;
  const focused = document.activeElement === $('read');
  $('read').hidden = true;
  $('stop').hidden = $('run').hidden = $('answers').hidden = false;
  if (focused) $('stop').focus(); // what is hidden loses it
  records = records.map(({ number, text, name, photo, missing, day, correction }) => {
    return { number, text, name, photo, missing, day, correction, state: 'waiting' };
  });
  const under = records;
  $('run-text').textContent = 'As soon as the model is here.';
  const analyzer = await Promise.race([ready(), aborted(signal)]);
  const began = performance.now();
  let done = 0;
  if (analyzer) {
    ({ labels } = analyzer);
    const end = lookNowAndThen(() => showRun(done, under.length, performance.now() - began));
    try {
      for await (const { index, ...outcome } of analyzer.analyzeBatch(posts(under), { signal })) {
        fillIn(under[index], outcome);
        done += 1;
      }
    } catch (error) {
      if (!signal.aborted) showTrouble(error); // What was read until it was stopped stays.
    } finally {
      end();
    }
  }
  // Other posts may be here by now, or the same ones be read anew.
  if (running === controller) ended(done, under.length, performance.now() - began);
}

/** The analyzer, once it knows what it was taught. */
async function ready() {
  await taught;
  return (await woken).settled();
}

const aborted = (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(null), { once: true }));

/** Calls `look` at once and again and again, until the function that it returns is called. */
function lookNowAndThen(look) {
  let timer = 0;
  (function again() {
    const began = performance.now();
    look();
    // Of very many posts a look takes longer: then there are fewer, so that the page stays smooth.
    timer = setTimeout(again, Math.max(SHOWN_EVERY, SHARE * (performance.now() - began)));
  })();
  return () => clearTimeout(timer);
}

function* posts(list) {
  for (const record of list) yield postOf(record);
}

/** What was read until now stays. */
function stop() {
  running?.abort();
}

function ended(done, all, ms) {
  running = null;
  showRun(done, all, ms);
  const said = done < all ? `Stopped after ${many(done, 'post')} of ${all.toLocaleString('en')}.` : `${many(all, 'post')} read in ${seconds(ms)}.`;
  $('run-text').textContent = $('run-said').textContent = said;
  const focused = document.activeElement === $('stop');
  $('stop').hidden = true;
  $('read').hidden = false;
  $('read').textContent = 'Read again';
  if (focused) $('read').focus();
}

const seconds = (ms) => (ms < 90_000 ? many(Math.max(1, Math.round(ms / 1000)), 'second') : many(Math.round(ms / 60_000), 'minute'));

function showRun(done, all, ms) {
  const part = all ? (100 * done) / all : 100;
  $('run-meter').firstElementChild.style.width = `${part}%`;
  $('run-meter').setAttribute('aria-valuenow', Math.round(part));
  const pace = done / (ms / 1000);
  const left = done > 4 ? ` · ${pace.toFixed(pace < 10 ? 1 : 0)} a second · about ${seconds(((all - done) / pace) * 1000)} left` : '';
  $('run-text').textContent = `${done.toLocaleString('en')} of ${all.toLocaleString('en')}${left}`;
  show();
}

// Showing

const shown = () => select(records, choice);

function show() {
  const list = shown();
  const counts = count(records, labels);
  showShares(counts, labels, choice);
  $('quadrant-chart').hidden = !records.some((record) => record.photo && record.text.trim());
  if (!$('quadrant-chart').hidden) showQuadrant(list, labels);
  $('days-chart').hidden = !records.some((record) => record.day);
  if (!$('days-chart').hidden) showDays(list, labels);
  const told = list.length === records.length ? many(list.length, 'post') : `${list.length.toLocaleString('en')} of ${many(records.length, 'post')}`;
  if ($('shown').textContent !== told) $('shown').textContent = told; // a status that is written again is read out again
  grid.show(list, { labels, ...choice });
}

function choose(change) {
  Object.assign(choice, change);
  show();
  grid.top();
}

const closer = createCloser(async (post) => {
  const analyzer = await (await woken).settled();
  return { ...(await analyzer.analyze(post)), labels: analyzer.labels };
});
const showShares = createDistribution($('shares'), $('chips'), choose);
const showDays = createDays($('days'), $('days-title'));
const showQuadrant = createQuadrant($('quadrant'), $('quadrant-hint'), closer);
const grid = createGrid($('grid'), {
  sorted: (sort) => choose({ sort, down: choice.sort === sort && !choice.down }),
  opened: closer,
  corrected(record, label) {
    record.correction = label === record.label ? undefined : label;
    showLessons();
  },
});

// What is corrected, and learned from it

let showLessons = () => {};

const taught = woken.then(async ({ settled }) => {
  const lessons = createLessons(settled);
  const corrected = () => records.filter((record) => record.correction !== undefined && !lessons.knows(record));
  showLessons = createLessonBar({ lessons, corrected, changed: readAnew, failed: showTrouble });
  await lessons.restore();
  showLessons();
});

/** The model has become another. */
function readAnew() {
  if (records.some(({ state }) => state !== 'waiting')) read();
}

$('search').addEventListener('input', (event) => choose({ words: event.target.value }));

const stem = () => (source.name() || 'posts').replace(/\.\w+$/, '');
$('csv').addEventListener('click', () => download(asCsv(shown(), labels), `${stem()}-read.csv`, 'text/csv'));
$('json').addEventListener('click', () => download(asJson(shown(), labels), `${stem()}-read.json`, 'application/json'));

// The controls

const source = createSource(begin);
$('read').addEventListener('click', read);
$('stop').addEventListener('click', stop);
$('forget').addEventListener('click', async () => {
  await source.clear();
  $('files').focus();
});
$('sample').addEventListener('click', async () => {
  if (await source.sample()) await read();
});

offerDevice(await woken, { changing: stop });
await keepForOffline();
