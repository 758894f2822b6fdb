// The results as a table in Markdown.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/** What is wrong with an outcome, or `undefined`: an error, or another answer than the reference's. */
export function fault(outcome, reference) {
  if (outcome.error) return outcome.error;
  if (outcome.compiles) return undefined; // a row of types, or of samples, has no posts of the table's
  if (!outcome.answers) return 'there are no answers';
  // A row may say that it was asked for some of them only.
  for (const name of outcome.asked ?? Object.keys(reference.answers)) {
    const expected = reference.answers[name];
    const difference = firstDifference(outcome.answers[name], expected, name);
    if (difference) return `another answer than Chromium's: ${difference}`;
  }
  return undefined;
}

/** Where two values differ first. */
function firstDifference(got, expected, path) {
  if (Object.is(got, expected)) return undefined;
  const isObject = (value) => typeof value === 'object' && value !== null;
  if (!isObject(got) || !isObject(expected)) return `${path} is ${JSON.stringify(got)}, not ${JSON.stringify(expected)}`;
  for (const key of new Set([...Object.keys(expected), ...Object.keys(got)])) {
    const difference = firstDifference(got[key], expected[key], `${path}.${key}`);
    if (difference) return difference;
  }
  return undefined;
}

/** One line, however long the message was. */
const brief = (text, most = 300) => {
  const line = text.replace(/\s+/g, ' ').replaceAll('|', '\\|').replace(/[<>]/g, (sign) => (sign === '<' ? '&lt;' : '&gt;'));
  return line.length > most ? `${line.slice(0, most)} …` : line;
};

/** What the last column says. */
function verdict({ status, detail }) {
  if (status === 'same') return detail ? `yes; ${brief(detail)}` : 'yes';
  return `${status === 'fails' ? '**no**' : 'not run'}: ${brief(detail)}`;
}

/** The table of `results`, with a heading for each group. */
export function markdown(results) {
  const lines = [];
  for (const group of new Set(results.map((result) => result.group))) {
    lines.push(`### ${group}`, '', '| where | with | program | thread | the same answer |', '|---|---|---|---|---|');
    for (const result of results.filter((one) => one.group === group)) {
      const { title, versions = [], backend = '', worker } = result;
      const thread = worker === undefined ? '' : worker ? 'a worker' : 'the same';
      lines.push(`| ${title} | ${versions.join(', ')} | ${backend} | ${thread} | ${verdict(result)} |`);
    }
    lines.push('');
  }
  return lines.join('\n');
}

const [BEGIN, END] = ['<!-- table -->', '<!-- /table -->'];

/** Writes the table into a file: between the two marks if they are there. */
export function putTable(file, table) {
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const [begin, end] = [before.indexOf(BEGIN), before.indexOf(END)];
  const marked = begin >= 0 && end > begin;
  writeFileSync(file, marked ? `${before.slice(0, begin + BEGIN.length)}\n\n${table}\n${before.slice(end)}` : table);
}
