// The page of many posts: what is dropped becomes records, the model fills them in, charts and table show them as they come.

import { offerDevice } from '../device.js';
import { hideTrouble, showTrouble } from '../trouble.js';
import { keepForOffline, wakeModel } from '../waking.js';
import { showDays } from './byday.js';
import { createCloser } from './closer.js';
import { guessColumns } from './columns.js';
import { createDistribution } from './distribution.js';
import { asCsv, asJson, download } from './download.js';
import { filesOfDrop, photoFinder, sortFiles } from './files.js';
import { createGrid } from './grid.js';
import { createLessonBar } from './lesson-bar.js';
import { createLessons } from './lessons.js';
import { createQuadrant } from './quadrant.js';
import { count, fillIn, postOf, recordsOf, recordsOfPhotos, select } from './records.js';
import { samplePosts } from './samples.js';
import { readTable } from './tables.js';

const SHOWN_EVERY = 250; // ms between two looks at what came in, at least
const SHARE = 12; // one part looking, so many parts not

const $ = (id) => document.getElementById(id);
const many = (number, what) => `${number.toLocaleString('en')} ${what}${number === 1 ? '' : 's'}`;

const woken = wakeModel();
const choice = { label: null, kind: null, words: '', sort: 'number', down: false };
let source = { name: '', table: null, photos: [] };
let records = [];
let labels = []; // the model's
let running = null; // an AbortController, while posts are read

// What is dropped, chosen or tried

async function take(files) {
  hideTrouble();
  const { tables, photos, others } = sortFiles(files);
  try {
    if (!tables.length && !photos.length && others.length) {
      throw Object.assign(new Error(`${others[0].name} is neither a table nor a photo.`), { code: 'table' });
    }
    if (tables.length) {
      const [file] = tables;
      source = { ...source, name: file.name, table: readTable(await file.arrayBuffer(), file.name) };
      fillSelects();
    }
    source.photos = [...source.photos, ...photos.filter(isNew)];
    setUp();
  } catch (error) {
    showTrouble(error);
  }
}

/** Whether a photo is not there yet: a folder may be dropped twice. */
const isNew = ({ name, size }) => !source.photos.some((photo) => photo.name === name && photo.size === size);

const SELECTS = ['text', 'image', 'date'];

function fillSelects() {
  const guess = guessColumns(source.table);
  for (const name of SELECTS) {
    const options = ['none', ...source.table.columns].map((column, i) => new Option(i ? column : '—', i - 1));
    $(`column-${name}`).replaceChildren(...options);
    $(`column-${name}`).value = guess[name];
  }
}

const chosenColumns = () => Object.fromEntries(SELECTS.map((name) => [name, Number($(`column-${name}`).value)]));

/** Makes records of what is there, and says what they are. */
function setUp() {
  stop();
  running = null;
  $('stop').hidden = true;
  $('read').hidden = false;
  const { table, photos, name } = source;
  records = table ? recordsOf(table, chosenColumns(), photoFinder(photos)) : recordsOfPhotos(photos);
  const said = [table && `${name}: ${many(table.rows.length, 'row')}`, photos.length && many(photos.length, 'photo')];
  $('found').textContent = `${said.filter(Boolean).join(', and ')}.`;
  $('fields').hidden = !table;
  showMatches();
  $('read').textContent = `Read ${many(records.length, 'post')}`;
  $('read').disabled = records.length === 0;
  $('setup').hidden = !table && !photos.length;
  $('drop').classList.toggle('small', Boolean(table || photos.length));
  $('run').hidden = $('answers').hidden = true;
}

function showMatches() {
  const named = records.filter((record) => record.name).length;
  const missing = records.filter((record) => record.missing).length;
  $('matched').hidden = !source.table || named === 0;
  const some = missing === named ? 'None of the photos that it names is here' : `${many(missing, 'photo')} of ${named} not here`;
  $('matched').textContent = missing
    ? `${some}: drop them too, or these posts are read without.`
    : `All ${named} photos that it names are here.`;
}

// Reading

async function read() {
  stop();
  const controller = (running = new AbortController());
  $('read').hidden = true;
  $('stop').hidden = $('run').hidden = $('answers').hidden = false;
  Object.assign(choice, { label: null, kind: null, words: '', sort: 'number', down: false });
  $('search').value = '';
  records = records.map(({ number, text, name, photo, missing, day, correction, taught }) => {
    return { number, text, name, photo, missing, day, correction, taught, state: 'waiting' };
  });
  const under = records;
  $('run-text').textContent = 'As soon as the model is here.';
  const { analyzer } = await woken;
  await taught;
  ({ labels } = analyzer);
  const began = performance.now();
  let done = 0;
  let timer = 0;
  (function look() {
    const now = performance.now();
    showRun(done, under.length, now - began);
    // Of very many posts a look takes longer: then there are fewer, so that the page stays smooth.
    timer = setTimeout(look, Math.max(SHOWN_EVERY, SHARE * (performance.now() - now)));
  })();
  try {
    for await (const { index, ...outcome } of analyzer.analyzeBatch(posts(under), { signal: controller.signal })) {
      fillIn(under[index], outcome);
      done += 1;
    }
  } catch (error) {
    if (!controller.signal.aborted) showTrouble(error); // What was read until it was stopped stays.
  } finally {
    clearTimeout(timer);
  }
  // Other posts may be here by now, or the same ones be read anew.
  if (running === controller) ended(done, under.length, performance.now() - began);
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
  $('stop').hidden = true;
  $('read').hidden = false;
  $('read').textContent = 'Read again';
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
  if (!$('days-chart').hidden) showDays($('days'), list, labels);
  $('shown').textContent = list.length === records.length ? many(list.length, 'post') : `${list.length.toLocaleString('en')} of ${many(records.length, 'post')}`;
  grid.show(list, { labels, ...choice });
}

function choose(change) {
  Object.assign(choice, change);
  show();
  grid.top();
}

const closer = createCloser(async (post) => {
  const { analyzer } = await woken;
  return { ...(await analyzer.analyze(post)), labels: analyzer.labels };
});
const showShares = createDistribution($('shares'), $('chips'), choose);
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
const corrected = () => records.filter(({ correction, taught }) => correction !== undefined && correction !== taught);

const taught = woken.then(async ({ analyzer }) => {
  const lessons = createLessons(analyzer);
  showLessons = createLessonBar({ lessons, corrected, changed: readAnew, failed: showTrouble });
  await lessons.restore();
  showLessons();
});

/** The model has become another. If it has become what it was before, what was corrected waits to be learned again. */
function readAnew({ learned }) {
  if (!learned) for (const record of records) record.taught = undefined;
  if (records.some(({ state }) => state !== 'waiting')) read();
}

$('search').addEventListener('input', (event) => choose({ words: event.target.value }));

const stem = () => (source.name || 'posts').replace(/\.\w+$/, '');
$('csv').addEventListener('click', () => download(asCsv(shown(), labels), `${stem()}-read.csv`, 'text/csv'));
$('json').addEventListener('click', () => download(asJson(shown(), labels), `${stem()}-read.json`, 'application/json'));

// The controls

for (const id of ['files', 'folder']) {
  $(id).addEventListener('change', async (event) => {
    await take([...event.target.files]);
    event.target.value = ''; // so that the same files can be chosen again
  });
}
for (const name of SELECTS) $(`column-${name}`).addEventListener('change', setUp);
$('read').addEventListener('click', read);
$('stop').addEventListener('click', stop);
$('forget').addEventListener('click', () => {
  source = { name: '', table: null, photos: [] };
  setUp();
  $('files').focus();
});
$('sample').addEventListener('click', async () => {
  try {
    hideTrouble();
    source = { name: 'festival.csv', ...(await samplePosts()) };
    fillSelects();
    setUp();
    await read();
  } catch (error) {
    showTrouble(error);
  }
});

let depth = 0;
const over = (on) => ($('post').dataset.over = String(on));
document.addEventListener('dragenter', () => over(++depth > 0));
document.addEventListener('dragleave', () => over(--depth > 0));
document.addEventListener('dragover', (event) => event.preventDefault());
document.addEventListener('drop', async (event) => {
  event.preventDefault();
  over((depth = 0) > 0);
  try {
    await take(await filesOfDrop(event.dataTransfer));
  } catch (error) {
    showTrouble(error); // a folder that may not be opened
  }
});

offerDevice(await woken, { changing: stop });
await keepForOffline();
