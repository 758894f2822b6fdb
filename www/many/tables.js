// A file becomes a table: `{ columns, rows }`, the names of its columns and, row by row, their cells as text.

import { parseRows, separatorOf } from './csv.js';

/** What a first cell is called when it names a column. */
const NAMES =
  /^(id|nr|no|number|text|post|tweet|comment|review|message|body|content|caption|title|image|img|photo|picture|file|filename|media|date|day|time|created|created_at|timestamp|label|sentiment|name|author|user|source)$/i;
const LONGEST_NAME = 40;

const fault = (message) => Object.assign(new Error(message), { code: 'table' });

/** Whether a file is a table, by its name. */
export const isTable = (name) => /\.(csv|tsv|tab|txt|jsonl|ndjson|json)$/i.test(name);

/** The table in a file's bytes. Throws an error for people where there is none. */
export function readTable(bytes, name) {
  const text = decode(bytes);
  if (!text.trim()) throw fault(`${name} is empty.`);
  const table = /\.(jsonl|ndjson|json)$/i.test(name) ? fromObjects(objectsOf(text, name)) : fromRows(text);
  if (!table.rows.length) throw fault(`${name} has no rows.`);
  return table;
}

/** Text in whatever encoding spreadsheets save it: UTF-8, UTF-16 with its mark, or else the old one of Windows. */
export function decode(bytes) {
  const [a, b] = new Uint8Array(bytes, 0, Math.min(2, bytes.byteLength));
  if (a === 0xff && b === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (a === 0xfe && b === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}

function fromRows(text) {
  const rows = parseRows(text, separatorOf(text));
  const width = rows.reduce((most, row) => Math.max(most, row.length), 0);
  const named = isHead(rows[0]);
  const columns = Array.from({ length: width }, (_, i) => (named && rows[0][i]?.trim()) || `column ${i + 1}`);
  return { columns: distinct(columns), rows: named ? rows.slice(1) : rows };
}

/** Whether a first row names the columns: a known name is among its cells, or all are short, different and no numbers. */
function isHead(cells) {
  const names = cells.map((cell) => cell.trim());
  if (names.some((name) => NAMES.test(name))) return true;
  const short = names.every((name) => name && name.length <= LONGEST_NAME && !/^[\d.,:/-]+$/.test(name) && !/[.!?]$/.test(name));
  return names.length > 1 && short && new Set(names).size === names.length;
}

/** No two columns of one name: the second `text` is `text 2`. */
function distinct(names) {
  const seen = new Map();
  return names.map((name) => {
    const times = (seen.get(name) ?? 0) + 1;
    seen.set(name, times);
    return times === 1 ? name : `${name} ${times}`;
  });
}

/** The objects of a JSON array, of the longest array in a JSON object, or of one JSON object a line. */
function objectsOf(text, name) {
  const body = text.replace(/^\ufeff/, '').trim();
  if (body.startsWith('[')) return parsed(body, name);
  const whole = /\.json$/i.test(name) && parsedOrNot(body);
  if (whole) return longestArray(whole) ?? [whole];
  return body
    .split(/\r\n|\n|\r/)
    .map((line, i) => line.trim() && parsed(line, `Line ${i + 1} of ${name}`))
    .filter(Boolean);
}

function parsed(text, what) {
  const value = parsedOrNot(text);
  if (value === undefined) throw fault(`${what} is not JSON.`);
  return value;
}

function parsedOrNot(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What people export is often one object with the list in it: `{ "posts": [...] }`. */
function longestArray(object) {
  const lists = Object.values(object).filter((value) => Array.isArray(value) && value.length);
  return lists.sort((a, b) => b.length - a.length)[0];
}

function fromObjects(objects) {
  const rows = objects.map((object) => (object && typeof object === 'object' ? object : { text: object }));
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cell = (value) => (value == null ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value));
  return { columns, rows: rows.map((row) => columns.map((name) => cell(row[name]))) };
}
