// The code samples of the documentation, for the rows that run them. What follows a fence's language says how:
//
// - `node`, `node-script`: a module or a script of Node's; `page`, `page-worker`: a module of a page, or of a worker of its;
// - `story`: the samples of one text, one after the other, in one page;
// - `file=NAME`: a file of a project, which a row builds; `element`: markup; `types`: compiled, not run.

import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { ROOT } from './project.js';

const FENCE = /^```(\w+)([^\n]*)\n([\s\S]*?)^```$/gm;

/** All of them: `{ text, line, language, how, file, code }`. */
export function samples() {
  const texts = ['README.md', 'pkg/README.md', ...readdirSync(join(ROOT, 'pkg/docs')).map((name) => `pkg/docs/${name}`)];
  return texts.flatMap((text) => {
    const markdown = readFileSync(join(ROOT, text), 'utf8');
    return [...markdown.matchAll(FENCE)].map(({ 1: language, 2: rest, 3: code, index }) => {
      const [how = '', file] = rest.trim().split('=');
      return { text, line: markdown.slice(0, index).split('\n').length, language, how, file, code };
    });
  });
}

/** The one that is a file of this name, in a page of `pkg/docs/` or in the package's README. */
export function sample(page, file) {
  const found = samples().find((one) => one.file === file && one.text.endsWith(`/${page}`));
  if (!found) throw new Error(`${page} has no sample file=${file}`);
  return found.code;
}
