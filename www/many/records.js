// One record a post: what it says, and once it is read, what the model says of it. Filtered, sorted, counted.

import { dayComesFirst, dayOf } from './dates.js';

/**
 * The records of a table whose columns have the numbers `{ text, image, date }` (-1: none); `find` is the photo of a name.
 * A row with neither text nor photo is none.
 */
export function recordsOf({ rows }, { text, image, date }, find) {
  const dayFirst = date >= 0 && dayComesFirst(rows.map((row) => row[date] ?? ''));
  return rows
    .map((row, i) => {
      const name = (image >= 0 && row[image]?.trim()) || '';
      const photo = name ? find(name) : null;
      return {
        number: i + 1,
        text: (text >= 0 && row[text]) || '',
        name,
        photo,
        missing: Boolean(name && !photo),
        day: date >= 0 ? dayOf(row[date] ?? '', dayFirst) : null,
        state: 'waiting',
      };
    })
    .filter((record) => record.text.trim() || record.photo);
}

/** The records of photos without a table. */
export const recordsOfPhotos = (photos) =>
  photos.map((photo, i) => ({ number: i + 1, text: '', name: photo.name, photo, missing: false, day: null, state: 'waiting' }));

/** The post of a record, as the package takes it. */
export function postOf({ text, photo }) {
  return { ...(text.trim() && { text }), ...(photo && { image: photo }) };
}

/** Writes into a record what came of it. Words and regions are not kept: of ten thousand they would fill the memory. */
export function fillIn(record, { analysis, error }) {
  if (error) return Object.assign(record, { state: 'failed', error });
  const { label, valence, scores, confidence, sure, text, image, contradiction, contradicts } = analysis;
  const heads = { words: text && { label: text.label, valence: text.valence }, picture: image && { label: image.label, valence: image.valence } };
  return Object.assign(record, { state: 'read', label, valence, scores, confidence, sure, contradiction, contradicts, ...heads });
}

/** What can be filtered besides labels. */
export const KINDS = {
  contradicts: { name: 'contradict', has: (record) => record.contradicts === true },
  unsure: { name: 'not sure', has: (record) => record.state === 'read' && record.sure === false },
  failed: { name: 'could not be read', has: (record) => record.state === 'failed' },
};

/** Letters as people sort them: é with e, and 9 before 10. */
const ALPHABET = new Intl.Collator('en', { numeric: true });

/** What the table can be sorted by: a number or a text of each record, `null` where there is none. */
const KEYS = {
  number: ({ number }) => number,
  text: ({ text }) => text.trim() || null,
  valence: ({ valence }) => valence ?? null,
  contradiction: ({ contradiction }) => contradiction ?? null,
  day: ({ day }) => day,
};

/**
 * The records that are to be shown, in their order: those of a `label`, of a `kind`, with these `words`; `null` and empty mean
 * any. What has nothing to be sorted by comes last, either way.
 */
export function select(records, { label = null, kind = null, words = '', sort = 'number', down = false }) {
  const sought = words.trim().toLowerCase();
  const shown = records.filter(
    (record) =>
      (!label || record.label === label) &&
      (!kind || KINDS[kind].has(record)) &&
      (!sought || record.text.toLowerCase().includes(sought) || record.name.toLowerCase().includes(sought)),
  );
  const key = KEYS[sort];
  const sign = down ? -1 : 1;
  const order = sort === 'text' ? ALPHABET.compare : (x, y) => (x < y ? -1 : x > y ? 1 : 0);
  const keyed = shown.map((record) => ({ record, key: key(record) }));
  keyed.sort(({ record: a, key: x }, { record: b, key: y }) => {
    if (x === null || y === null) return (x === null) - (y === null) || a.number - b.number;
    return sign * order(x, y) || a.number - b.number;
  });
  return keyed.map(({ record }) => record);
}

/** How many records have each label, and each kind: `{ labels: Map, kinds: Map, read }`. */
export function count(records, labels) {
  const byLabel = new Map(labels.map(({ name }) => [name, 0]));
  const byKind = new Map(Object.keys(KINDS).map((kind) => [kind, 0]));
  let read = 0;
  for (const record of records) {
    if (record.state === 'read') {
      read += 1;
      byLabel.set(record.label, (byLabel.get(record.label) ?? 0) + 1);
    }
    for (const [kind, { has }] of Object.entries(KINDS)) if (has(record)) byKind.set(kind, byKind.get(kind) + 1);
  }
  return { labels: byLabel, kinds: byKind, read };
}
