// The sentences: tables of the project's form (tabs, one header line, no quoting).

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const CHALLENGE = fileURLToPath(new URL('../../challenge/texts.tsv', import.meta.url));
export const LABELS = ['negative', 'neutral', 'positive'];

/** Sets below `--data FOLDER`; the model's training has seen none of their rows. */
const OF_FOLDER = [
  { title: 'TweetEval sentiment val', file: 'tweeteval/sentiment_val.tsv' },
  { title: 'MVSA-Single val, texts', file: 'mvsa_single/pairs.tsv', column: 'text_label', split: 'val' },
];

/** Each set as `{ title, posts: [{ text, label }] }`. */
export function sets(folder) {
  const all = [{ title: '`tests/challenge`', posts: posts(CHALLENGE, {}) }];
  if (!folder) return all;
  for (const { title, file, ...which } of OF_FOLDER) {
    const path = `${folder}/${file}`;
    if (existsSync(path)) all.push({ title, posts: posts(path, which) });
    else console.error(`left out: there is no ${path}`);
  }
  return all;
}

function posts(path, { column = 'label', split }) {
  const [head, ...lines] = readFileSync(path, 'utf8').split(/\r?\n/).filter(Boolean).map((line) => line.split('\t'));
  const at = (name) => {
    const place = head.indexOf(name);
    if (place < 0) throw new Error(`${path} has no column ${name}`);
    return place;
  };
  const rows = lines.filter((line) => split === undefined || line[at('split')] === split);
  const found = rows.map((line) => ({ text: line[at('text')], label: line[at(column)] })).filter(({ text }) => text?.trim());
  const strange = found.find(({ label }) => !LABELS.includes(label));
  if (strange) throw new Error(`${path} has a label that is none of ${LABELS.join(', ')}: ${strange.label}`);
  return found;
}

/** Accuracy and the mean F1 of the three labels. */
export function scores(posts, answers) {
  const count = (test) => posts.filter(({ label }, i) => test(label, answers[i])).length;
  const f1 = (name) => {
    const both = count((label, answer) => label === name && answer === name);
    const either = count((label) => label === name) + count((_, answer) => answer === name);
    return either === 0 ? 0 : (2 * both) / either;
  };
  const accuracy = count((label, answer) => label === answer) / posts.length;
  return { accuracy, macroF1: LABELS.reduce((sum, name) => sum + f1(name), 0) / LABELS.length };
}
