/** Many posts, one after another: in their order, and no faster than whoever takes the answers. */

import { onAbort, orAborted, throwIfAborted } from './abort.js';
import { MixedFeelingsError, seen } from './errors.js';
import type { Analysis, BatchProgress, BatchResult, Post } from './types.js';

/** Posts that are under way at a time: while one is read, the pictures of the next are fetched and decoded. */
const AHEAD = 4;

/** How a batch is read. */
export interface BatchSettings<L extends string> {
  /** Reads one post; the signal gives it up. */
  readonly read: (post: Post, signal: AbortSignal) => Promise<Analysis<L>>;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: (progress: BatchProgress) => void;
}

type Posts = Iterable<Post> | AsyncIterable<Post>;

/** @throws the signal's reason when it aborts, and what `posts` itself throws. */
export async function* batch<L extends string>(
  posts: Posts,
  { read, signal, onProgress }: BatchSettings<L>,
): AsyncGenerator<BatchResult<L>, void> {
  const from = iteratorOf(posts);
  const total = Array.isArray(posts) ? posts.length : null;
  // Whoever stops taking answers wants no more of what is under way either.
  const ending = new AbortController();
  const forget = onAbort(signal, () => ending.abort(signal?.reason));
  const under: Promise<BatchResult<L>>[] = [];
  let index = 0;
  let more = true;
  try {
    for (let done = 1; ; done++) {
      while (more && under.length < AHEAD) {
        const next = await orAborted(Promise.resolve(from.next()), signal);
        if (next.done) more = false;
        else under.push(resultOf(index++, read(next.value, ending.signal), signal));
      }
      const first = under.shift();
      if (!first) return;
      const result = await first;
      throwIfAborted(signal);
      onProgress({ done, total });
      yield result;
    }
  } finally {
    forget();
    ending.abort();
    const left = more ? from.return?.() : undefined;
    // The caller's generator may be in the middle of something that nobody waits for any more.
    if (signal?.aborted) Promise.resolve(left).catch(() => {});
    else await left;
  }
}

function iteratorOf(posts: Posts): AsyncIterator<Post> | Iterator<Post> {
  const given = posts as Partial<Iterable<Post> & AsyncIterable<Post>> | null | undefined;
  const from = seen(() => given?.[Symbol.asyncIterator]?.() ?? given?.[Symbol.iterator]?.());
  if (from && typeof posts !== 'string') return from;
  throw new MixedFeelingsError('bad-input', 'analyzeBatch takes posts that can be iterated: [{ text, image }, ...]');
}

/** Never rejects but by the batch's own signal: whoever waits for the first of several need not fear for the others. */
async function resultOf<L extends string>(
  index: number,
  answer: Promise<Analysis<L>>,
  signal: AbortSignal | undefined,
): Promise<BatchResult<L>> {
  try {
    return { index, analysis: await answer, error: null };
  } catch (error) {
    if (error instanceof MixedFeelingsError) return { index, analysis: null, error };
    // Aborted: by the batch's signal, which is looked at before this is, or by the post's own.
    const message = signal?.aborted ? 'the batch was given up' : 'the post was given up by its own signal';
    return { index, analysis: null, error: new MixedFeelingsError('aborted', message, { cause: error }) };
  }
}
