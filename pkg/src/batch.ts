/** Many posts: answered in their order, and no faster than whoever takes the answers. */

import { onAbort, orAborted, throwIfAborted } from './abort.js';
import { MixedFeelingsError, seen } from './errors.js';
import { kindOf } from './kinds.js';
import type { Analysis, BatchProgress, BatchResult, Post } from './types.js';

/** Of the posts that are under way, one in so many may have a picture: their pixels need memory. */
const TO_A_PICTURE = 8;

/** How a batch is read. */
export interface BatchSettings<L extends string> {
  /** Reads one post; the signal gives it up. */
  readonly read: (post: Post, signal: AbortSignal) => Promise<Analysis<L>>;
  /** How many posts may be under way now. */
  readonly ahead: () => number;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: (progress: BatchProgress) => void;
}

type Posts = Iterable<Post> | AsyncIterable<Post>;

/** @throws the signal's reason when it aborts, and what `posts` itself throws, after the answers that came before. */
export async function* batch<L extends string>(
  posts: Posts,
  { read, ahead, signal, onProgress }: BatchSettings<L>,
): AsyncGenerator<BatchResult<L>, void> {
  const total = Array.isArray(posts) ? posts.length : null;
  // Whoever stops taking answers wants no more of what is under way either.
  const ending = new AbortController();
  const forget = onAbort(signal, () => ending.abort(signal?.reason));
  const begin = (index: number, post: Post) => resultOf(index, read(post, ending.signal), signal);
  const source = new Source(iteratorOf(posts), begin, ahead);
  try {
    for (let done = 1; ; done++) {
      const result = await orAborted(source.next(), signal);
      throwIfAborted(signal);
      if (!result) return;
      onProgress({ done, total });
      yield result;
    }
  } finally {
    forget();
    ending.abort();
    const returning = source.end();
    // A source that waits for something that never comes cannot be told before it has come.
    if (signal?.aborted) returning.catch(() => {});
    else await returning;
  }
}

interface UnderWay<R> {
  readonly answer: Promise<R>;
  readonly pictures: number;
}

/** Posts that are asked for ahead of the answers, so that passes are full, but an answer never waits for a post. */
class Source<R> {
  readonly #under: UnderWay<R>[] = [];
  #index = 0;
  #pictures = 0;
  /** Settles when the next post is there, or known to be none. */
  #asking: Promise<void> | undefined;
  #more = true;
  #failure: { readonly error: unknown } | undefined;

  constructor(
    private readonly from: AsyncIterator<Post> | Iterator<Post>,
    private readonly begin: (index: number, post: Post) => Promise<R>,
    private readonly ahead: () => number,
  ) {}

  /** The next answer; nothing after the last. */
  async next(): Promise<R | undefined> {
    for (;;) {
      this.#ask();
      const first = this.#under[0];
      if (!first && !this.#asking) {
        if (this.#failure) throw this.#failure.error;
        return undefined;
      }
      const result = await Promise.race([first?.answer, this.#asking].filter((one) => one !== undefined));
      if (!result) continue;
      this.#under.shift();
      this.#pictures -= first?.pictures ?? 0;
      return result;
    }
  }

  /** No more is wanted. */
  async end(): Promise<void> {
    if (this.#more) await this.from.return?.();
  }

  /** Fills up what may be under way, at once as far as the posts are there. */
  #ask(): void {
    while (this.#more && !this.#asking && this.#mayAsk()) {
      try {
        const next = this.from.next();
        if (!('then' in resultIn(next))) this.#take(next as IteratorResult<Post, unknown>);
        else {
          // Any thenable will do, as for `for await`.
          this.#asking = Promise.resolve(next as Promise<IteratorResult<Post, unknown>>)
            .then((result) => this.#take(result))
            .catch((error: unknown) => this.#fail(error))
            .finally(() => (this.#asking = undefined));
        }
      } catch (error) {
        this.#fail(error);
      }
    }
  }

  #mayAsk(): boolean {
    const ahead = this.ahead();
    return this.#under.length < ahead && this.#pictures < ahead / TO_A_PICTURE;
  }

  #take(result: IteratorResult<Post, unknown>): void {
    const { done, value } = resultIn(result);
    if (done) {
      this.#more = false;
      return;
    }
    const post = value as Post;
    const pictures = hasPicture(post) ? 1 : 0;
    this.#pictures += pictures;
    this.#under.push({ answer: this.begin(this.#index++, post), pictures });
  }

  #fail(error: unknown): void {
    this.#more = false;
    this.#failure = { error };
  }
}

/** What an iterator gave, if it is what iterators give. */
function resultIn<T>(result: T): T {
  if (typeof result === 'object' && result !== null) return result;
  throw new MixedFeelingsError('bad-input', `the iterator of analyzeBatch gave ${kindOf(result)}: give { done, value }`);
}

/** As far as it can be seen; what else is wrong with a post is its answer's affair. */
function hasPicture(post: Post): boolean {
  try {
    return post.image != null;
  } catch {
    return false;
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
