// Which column of a table is the text, which names the photo, which is the date: by its name, else by what is in it.

import { dayOf, daysOf } from './dates.js';

const TEXT = /^(text|post|tweet|comment|review|message|body|content|caption)/i;
const IMAGE = /(image|img|photo|picture|media|file)/i;
const DATE = /(date|day|time|created|when|posted)/i;
const PICTURE_NAME = /\.(jpe?g|jfif|png|webp|gif|bmp|avif|heic)$/i;

const TASTED = 200; // rows that are looked at
const MOST = 0.6; // of the cells that are not empty

/** The numbers of the columns as `{ text, image, date }`; -1 where there is none. */
export function guessColumns({ columns, rows }) {
  const cells = columns.map((_, i) => rows.slice(0, TASTED).map((row) => (row[i] ?? '').trim()).filter(Boolean));
  const share = (i, test) => cells[i].filter(test).length / (cells[i].length || 1);
  const all = columns.map((_, i) => i);

  const isPicture = (i) => share(i, (cell) => PICTURE_NAME.test(cell)) >= MOST;
  const image = all.find(isPicture) ?? all.find((i) => IMAGE.test(columns[i]) && share(i, (cell) => !/\s/.test(cell)) >= MOST) ?? -1;

  const isDate = (i) => i !== image && share(i, (cell) => dayOf(cell) !== null) >= MOST;
  const date = all.find((i) => DATE.test(columns[i]) && isDate(i)) ?? all.find((i) => isDate(i) && daysOf(cells[i])) ?? -1;

  const rest = all.filter((i) => i !== image && i !== date && cells[i].length);
  const length = (i) => cells[i].reduce((sum, cell) => sum + (/\s/.test(cell) ? cell.length : 0), 0) / cells[i].length;
  const longest = rest.reduce((best, i) => (best < 0 || length(i) > length(best) ? i : best), -1);
  const text = rest.find((i) => TEXT.test(columns[i]) && length(i) > 0) ?? longest;
  return { text, image, date };
}
