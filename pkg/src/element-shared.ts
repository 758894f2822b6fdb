/** The analyzer that all elements of a page share, as long as there are any. */

import type { Analyzer, Progress } from './api.js';
import { createAnalyzer } from './index.js';

/** Milliseconds without any element after which its memory is given back: a page may move one, or go on to its next view. */
const LINGER = 30_000;

/** Told how far loading has come. */
type Watcher = (progress: Progress) => void;

let analyzer: Promise<Analyzer> | undefined;
let latest: Progress | undefined;
let leaving: ReturnType<typeof setTimeout> | undefined;
const watchers = new Set<Watcher>();

/** The shared analyzer, made at the first call; one that could not be made is tried anew at the next. */
export function shared(): Promise<Analyzer> {
  if (!analyzer) {
    const onProgress = (progress: Progress) => {
      latest = progress;
      watchers.forEach((watch) => watch(progress));
    };
    const opening = (analyzer = createAnalyzer({ onProgress }));
    opening.catch(() => forget(opening));
  }
  return analyzer;
}

/** An element is there: `watch` is told at once how far loading has come, and from now on. */
export function join(watch: Watcher): void {
  clearTimeout(leaving);
  watchers.add(watch);
  if (latest) watch(latest);
}

/** An element is gone. */
export function leave(watch: Watcher): void {
  watchers.delete(watch);
  if (watchers.size > 0) return;
  leaving = setTimeout(() => {
    const opened = analyzer;
    if (!opened) return;
    forget(opened);
    opened.then(({ dispose }) => dispose(), () => {});
  }, LINGER);
}

function forget(one: Promise<Analyzer>): void {
  if (analyzer === one) analyzer = latest = undefined;
}
