// Many posts, one after another, behind one small function.

/** Posts that are under way at a time: while one is read, the next photo is fetched and opened. */
const UNDER_WAY = 2;

/**
 * Reads `posts` (anything that can be iterated) in their order; yields `{ index, analysis }`, or `{ index, error }` for one
 * that cannot be read. Ends early when `signal` is aborted: what was read until then was yielded.
 */
export async function* readAll(analyzer, posts, { signal } = {}) {
  const waiting = [];
  let index = 0;
  for (const post of posts) {
    if (signal?.aborted) break;
    waiting.push(outcome(analyzer, post, index++, signal));
    if (waiting.length === UNDER_WAY) yield await waiting.shift();
  }
  while (waiting.length && !signal?.aborted) yield await waiting.shift();
}

function outcome(analyzer, post, index, signal) {
  return analyzer.analyze({ ...post, signal }).then(
    (analysis) => ({ index, analysis }),
    (error) => ({ index, error }),
  );
}
