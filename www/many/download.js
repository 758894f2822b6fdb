// The answers as a file: CSV for a spreadsheet, JSON for a program.

import { writeRows } from './csv.js';

const round = (number) => (number == null ? null : Math.round(number * 1e4) / 1e4);

/** One flat object a record, in the order of the columns of the CSV. */
export function flat(record, labels) {
  const { number, text, name, day, state, label, valence, confidence, sure, correction, words, picture } = record;
  const { contradiction, contradicts, scores } = record;
  return {
    number,
    text,
    image: name,
    day,
    label: label ?? null,
    valence: round(valence),
    confidence: round(confidence),
    sure: sure ?? null,
    correction: correction ?? null,
    text_label: words?.label ?? null,
    text_valence: round(words?.valence),
    image_label: picture?.label ?? null,
    image_valence: round(picture?.valence),
    contradiction: round(contradiction),
    contradicts: contradicts ?? null,
    ...Object.fromEntries(labels.map((one) => [`score_${one.name.replaceAll(' ', '_')}`, round(scores?.[one.name])])),
    problem: state === 'failed' ? (record.error?.code ?? String(record.error)) : state === 'waiting' ? 'not read' : record.missing ? 'image missing' : null,
  };
}

/** The records as CSV. */
export function asCsv(records, labels) {
  const rows = records.map((record) => flat(record, labels));
  const columns = Object.keys(rows[0] ?? flat({}, labels));
  return writeRows([columns, ...rows.map((row) => columns.map((name) => row[name]))]);
}

/** The records as a JSON array. */
export const asJson = (records, labels) => JSON.stringify(records.map((record) => flat(record, labels)), null, 1);

/** Hands `text` to the reader as a file. */
export function download(text, name, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = Object.assign(document.createElement('a'), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
