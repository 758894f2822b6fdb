// The journal: an entry is read when it is kept, and kept on this device only.

import { kindly } from '../../sentences.js';
import { hideTrouble, showTrouble } from '../../trouble.js';
import { tint } from '../../tones.js';
import { keepForOffline, wakeModel } from '../../waking.js';
import { createPhoto } from '../photo.js';
import { drawCurve } from './curve.js';
import { MONTH } from './month.js';
import { exported, imported, openStore } from './store.js';

const $ = (id) => document.getElementById(id);
const DAY = 86_400_000;

const woken = wakeModel();
const photo = createPhoto($('photo'));
let store;
let entries = [];
let labels = [];
let urls = []; // of the photos that are shown
let deleted = null; // the entry that "Undo" brings back, in this page's memory alone

// Showing

async function show() {
  entries = await store.all();
  urls.forEach((url) => URL.revokeObjectURL(url));
  urls = [];
  $('empty').hidden = entries.length > 0;
  $('kept').hidden = $('export').hidden = $('delete').hidden = entries.length === 0;
  $('entries').replaceChildren(...entries.toReversed().map(item));
  draw();
}

function draw() {
  drawCurve($('curve'), entries, labels, ({ id }) => $(anchor(id))?.scrollIntoView({ block: 'center' }));
}

/** Where an entry is in the page. An imported one may have any id, those of the page's own parts too. */
const anchor = (id) => `entry-${id}`;

function item(entry) {
  const { id, at, text, photo, reading } = entry;
  const item = document.createElement('li');
  item.id = anchor(id);
  const when = new Intl.DateTimeFormat('en-GB', { weekday: 'long', day: 'numeric', month: 'long' }).format(at);
  const who = Object.assign(document.createElement('p'), { className: 'who', textContent: `${when} · ` });
  // A label that is not sure is better not said; entries of older journals do not say how sure they are.
  const answer = Object.assign(document.createElement('em'), { textContent: reading.sure === false ? 'not sure' : reading.label });
  if (reading.sure !== false) tint(answer, reading.label, labels);
  who.append(answer);
  const words = Object.assign(document.createElement('p'), { className: 'review', textContent: text });
  item.append(words);
  if (photo) {
    urls.push(URL.createObjectURL(photo));
    item.append(Object.assign(new Image(), { src: urls.at(-1), alt: `Photo of ${when}` }));
  }
  const remove = Object.assign(document.createElement('button'), { className: 'quiet', type: 'button', textContent: 'Delete' });
  remove.setAttribute('aria-label', `Delete the entry of ${when}`);
  remove.addEventListener('click', attempt(async () => {
    const place = [...$('entries').children].indexOf(item);
    await store.remove(id);
    offerUndo(entry, when);
    await show();
    const next = $('entries').children[Math.min(place, entries.length - 1)]; // where one was, not at the top of the page
    (next?.querySelector('button') ?? $('entry')).focus();
  }));
  item.prepend(remove, who);
  return item;
}

// Deleting

/** Says that `entry` of the day `when` is deleted, and offers it back; with `null` there is nothing to bring back. */
function offerUndo(entry, when = '') {
  deleted = entry;
  $('deleted-when').textContent = when;
  $('deleted').hidden = !entry;
}

$('undo').addEventListener('click', attempt(async () => {
  const entry = deleted;
  await store.put(entry);
  offerUndo(null);
  await show();
  $(anchor(entry.id)).querySelector('button').focus();
}));

$('delete').addEventListener('click', () => $('sure').showModal());
$('sure').addEventListener('close', attempt(async () => {
  if ($('sure').returnValue !== 'delete') return;
  await store.clear();
  offerUndo(null); // everything means everything
  await show();
  $('entry').focus();
}));

// Keeping

/** What an entry keeps of an answer. */
const readingOf = ({ label, valence, sure }) => ({ label, valence, sure });

async function keep({ text, photo = null, at = Date.now() }) {
  const { analyzer } = await woken;
  const analysis = await analyzer.analyze({ ...(text.trim() && { text }), ...(photo && { image: photo }) });
  await store.put({ id: crypto.randomUUID(), at, text, photo, reading: readingOf(analysis) });
}

/** A handler whose failure is told. */
function attempt(work) {
  return async (event) => {
    event?.preventDefault();
    hideTrouble();
    try {
      await work(event);
    } catch (error) {
      const told = typeof error.code === 'string'; // those of the browser's own storage have numbers, or none
      showTrouble(told ? error : new Error('this browser does not let the page keep anything', { cause: error }));
    }
  };
}

$('form').addEventListener('submit', attempt(async () => {
  const text = $('entry').value;
  if (!text.trim() && !photo.photo()) return $('entry').focus();
  $('keep').disabled = true;
  try {
    await keep({ text, photo: photo.photo() });
    navigator.storage?.persist?.(); // asks the browser not to clear it when space is short
    $('form').reset();
    photo.clear();
    await show();
  } finally {
    $('keep').disabled = false;
  }
}));

$('month').addEventListener('click', attempt(async () => {
  $('month').disabled = true;
  try {
    for (const [ago, text] of MONTH) await keep({ text, at: Date.now() - ago * DAY });
    await show();
  } finally {
    $('month').disabled = false;
  }
}));

$('export').addEventListener('click', attempt(async () => {
  const url = URL.createObjectURL(new Blob([await exported(entries)], { type: 'application/json' }));
  Object.assign(document.createElement('a'), { href: url, download: 'journal.json' }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}));

$('import').addEventListener('change', attempt(async (event) => {
  const [file] = event.target.files;
  const text = await file.text();
  event.target.value = '';
  for (const entry of await imported(text)) await store.put(entry); // one of the same id is the same entry
  await show();
}));

try {
  store = await openStore();
} catch (error) {
  $('keep').disabled = $('month').disabled = true;
  $('empty').textContent = `Nothing can be kept here: ${kindly(error)}`;
}
({ labels } = await woken);
if (store) await show();
new ResizeObserver(draw).observe($('curve'));
await keepForOffline();
