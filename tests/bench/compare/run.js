#!/usr/bin/env node
// The same sentences for this package, for those that look words up, and for transformers.js; see ../README.md.

import { parseArgs } from 'node:util';

import { contenders, machine } from './contenders.js';
import { LABELS, scores, sets } from './sets.js';
import { download, tarball } from './sizes.js';

const HELP = `node tests/bench/compare/run.js [options]

Prints a table in Markdown: accuracy and macro-F1 on the same sentences, sizes, and the processor's milliseconds for a text. Needs pkg/ built by
\`cargo pack\`, and \`npm ci --ignore-scripts\` in this folder.

  --data FOLDER          also the sets below it: tweeteval/sentiment_val.tsv and mvsa_single/pairs.tsv
  --transformers FOLDER  where the model of transformers.js lies; without it, it is asked of its hub
  --help                 print this`;

const { values: options } = parseArgs({
  options: { data: { type: 'string' }, transformers: { type: 'string' }, help: { type: 'boolean' } },
});

/** Every post once, and the milliseconds that the processor worked for it: those of the clock tell of the machine's other work too. */
async function ask(label, posts) {
  const answers = [];
  const began = process.cpuUsage();
  for (const { text } of posts) answers.push(await label(text));
  const { user, system } = process.cpuUsage(began);
  return { answers, milliseconds: (user + system) / 1e3 };
}

/** What always gives the set's commonest label. */
function commonest({ posts }) {
  const count = (name) => posts.filter(({ label }) => label === name).length;
  const [most] = LABELS.toSorted((a, b) => count(b) - count(a));
  return posts.map(() => most);
}

const kilo = (bytes) => (bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.round(bytes / 1e3)} kB`);
const point = (value) => value.toFixed(3).replace(/^0/, '');
const both = ({ accuracy, macroF1 }) => `${point(accuracy)} / ${point(macroF1)}`;

async function row(contender, all) {
  const { version, size } = tarball(contender);
  const { script, files } = await download(contender);
  const weights = contender.files ? ' and the model' : '';
  const sizes = `${kilo(size)} | ${kilo(script + files)}${weights}`;
  const head = `${contender.name} ${version}`;
  let opened;
  try {
    opened = await contender.open();
  } catch (error) {
    return `| ${head} | ${contender.rule} | ${all.map(() => '–').join(' | ')} | ${sizes} | not run: ${error.message.replace(/\s+/g, ' ').slice(0, 160)} |`;
  }
  await ask(opened.label, all[0].posts.slice(0, 100)); // until it is compiled as well as it will be
  const results = [];
  let milliseconds = 0;
  for (const { posts } of all) {
    const asked = await ask(opened.label, posts);
    results.push(both(scores(posts, asked.answers)));
    milliseconds += asked.milliseconds;
  }
  await opened.close();
  return `| ${head} | ${contender.rule} | ${results.join(' | ')} | ${sizes} | ${Number((milliseconds / all.flatMap(({ posts }) => posts).length).toPrecision(2))} |`;
}

if (options.help) {
  console.log(HELP);
} else {
  const all = sets(options.data);
  console.log(`Accuracy / macro-F1. Milliseconds: what the processor works for a text, on the average, ${machine()}.\n`);
  const columns = ['', 'label', ...all.map(({ title, posts }) => `${title} (${posts.length})`), 'npm tarball', 'a page downloads (gzip)', 'ms'];
  console.log(`| ${columns.join(' | ')} |\n|${columns.map(() => '---').join('|')}|`);
  for (const contender of contenders(options)) console.log(await row(contender, all));
  const floor = all.map((set) => both(scores(set.posts, commonest(set))));
  console.log(`| always the commonest label | | ${floor.join(' | ')} | | | |`);
}
