/** Learning from a few labelled posts: reads them, has the engine learn, and holds what came of it for the engines to come. */

import { orAborted, throwIfAborted } from './abort.js';
import type { LearnReport } from './analysis.js';
import type { Example, LearnOptions } from './api.js';
import type { EngineHandle, Lesson } from './engine.js';
import type { Engines } from './engines.js';
import { MixedFeelingsError, seen, shown } from './errors.js';
import { takePicture, type TakeOptions } from './image.js';
import { isBytes, kindOf, viewOf } from './kinds.js';
import { harmless, postOf, type TakenPost } from './options.js';
import type { Preparer } from './prepare.js';
import { Places } from './turns.js';

/** As many as the engine learns from. */
const MOST = 500;
/** Bytes; a hundred times what the package's own bundle needs. */
const LONGEST_PROFILE = 16_000_000;

/** What was learned, where it outlives an engine. */
export class Profile {
  #bytes: Uint8Array<ArrayBuffer> | undefined;
  #examples = 0;

  get bytes(): Uint8Array<ArrayBuffer> | undefined {
    return this.#bytes;
  }

  /** How many examples it comes from; 0 without one. */
  get examples(): number {
    return this.#examples;
  }

  set(bytes: Uint8Array<ArrayBuffer> | undefined, examples: number): void {
    this.#bytes = bytes;
    this.#examples = examples;
  }

  /** Has `engine`, which takes the place of one that is gone, go on with it. */
  async restore(engine: EngineHandle): Promise<EngineHandle> {
    try {
      // It may change meanwhile.
      for (let given: Uint8Array | undefined; given !== this.#bytes; ) {
        given = this.#bytes;
        await engine.setProfile(given);
      }
      return engine;
    } catch (error) {
      engine.dispose();
      throw error;
    }
  }
}

/** What learning needs of the analyzer. */
export interface LearningContext {
  readonly engines: Engines;
  readonly preparer: Preparer;
  readonly profile: Profile;
  readonly limits: TakeOptions['limits'];
  readonly resolve: TakeOptions['resolve'];
  readonly timeout: number;
  readonly browserDecoder: boolean;
  /** As the analyzer has it: a signal that aborts with any of these, or when it is disposed of. */
  readonly ending: (signals: readonly (AbortSignal | undefined)[]) => { signal: AbortSignal; end: () => void };
}

interface Taken {
  readonly post: TakenPost;
  readonly label: number;
}

/** The functions of an analyzer that have to do with learning. */
export class Learning {
  /** One thing at a time, so that what is learned is from one list. */
  readonly #turns = new Places(1);

  constructor(private readonly context: LearningContext) {}

  async learn(examples: Iterable<Example<string>>, options?: LearnOptions | null): Promise<LearnReport> {
    const { limits, engines, profile } = this.context;
    const taken = seen(() => taking(examples, this.context));
    const call = seen(() => postOf({}, options, limits));
    const onProgress = harmless(seen(() => options?.onProgress));
    // Any example's own signal gives up the lesson: it is learned as a whole.
    const signals = [...call.signals, ...taken.flatMap(({ post }) => post.signals)];
    return this.#during(signals, async (signal) => {
      const lessons: Lesson[] = [];
      for (const [index, { post, label }] of taken.entries()) {
        const numbers = await this.#read(post, call.timeout, signal).catch((error) => {
          throw inExample(error, index);
        });
        lessons.push({ numbers, label });
        onProgress({ done: lessons.length, total: taken.length });
      }
      const learning = engines.first.run(
        async (engine) => {
          const learned = await engine.learn(lessons);
          // Given up meanwhile: then it is to know what it knew.
          if (signal.aborted) await engine.setProfile(profile.bytes);
          else {
            profile.set(learned.profile, lessons.length);
            engines.closeOthers();
          }
          return learned.report;
        },
        { picture: false, signal },
      );
      return orAborted(learning, signal);
    });
  }

  async exportProfile(): Promise<Uint8Array<ArrayBuffer>> {
    // What is being learned is waited for.
    return this.#during([], async () => {
      const { bytes } = this.context.profile;
      if (bytes) return bytes.slice();
      throw new MixedFeelingsError('no-profile', 'nothing was learned that could be exported: call learn() or importProfile() first');
    });
  }

  async importProfile(given: unknown): Promise<void> {
    const reading = seen(() => bytesOf(given));
    return this.#during([], async (signal) => {
      const bytes = await orAborted(reading, signal);
      await this.#set(bytes, signal);
    });
  }

  async forget(): Promise<void> {
    return this.#during([], (signal) => this.#set(undefined, signal));
  }

  #set(bytes: Uint8Array<ArrayBuffer> | undefined, signal: AbortSignal): Promise<void> {
    const { engines, profile } = this.context;
    const setting = engines.first.run(
      async (engine) => {
        profile.set(bytes, await engine.setProfile(bytes));
        engines.closeOthers();
      },
      { picture: false, signal },
    );
    return orAborted(setting, signal);
  }

  async #during<T>(signals: readonly (AbortSignal | undefined)[], work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal, end } = this.context.ending(signals);
    try {
      const giveBack = await this.#turns.take({ first: false, signal });
      try {
        throwIfAborted(signal);
        return await work(signal);
      } catch (cause) {
        if (signal.aborted || cause instanceof MixedFeelingsError) throw cause;
        throw new MixedFeelingsError('crashed', `nobody foresaw this: ${shown(cause)}`, { cause });
      } finally {
        giveBack();
      }
    } finally {
      end();
    }
  }

  async #read({ text, image, timeout }: TakenPost, patience: number | undefined, signal: AbortSignal): Promise<Float32Array> {
    const { engines, preparer, limits, resolve, browserDecoder } = this.context;
    const picture = image === undefined ? undefined : seen(() => takePicture(image, { resolve, limits, signal }));
    const given = { timeout: timeout ?? patience ?? this.context.timeout, signal, browserDecoder };
    const prepared = picture && (await orAborted(preparer.prepare(picture, given), signal));
    const reading = engines.first.run((engine) => engine.readExample(text, prepared), { picture: false, signal });
    return orAborted(reading, signal);
  }
}

/** Looks at all of them before any is read. */
function taking(examples: Iterable<Example<string>>, { engines, limits }: LearningContext): Taken[] {
  const iterable = examples as Partial<Iterable<Example<string>>> | null | undefined;
  if (typeof examples === 'string' || typeof iterable?.[Symbol.iterator] !== 'function') {
    throw new MixedFeelingsError('bad-input', `learn takes examples that can be iterated, [{ text, image, label }, ...], and got ${kindOf(examples)}`);
  }
  const names = engines.first.engine.opened.labels.map(({ name }) => name);
  const taken: Taken[] = [];
  for (const example of examples) {
    const index = taken.length;
    if (index === MOST) throw new MixedFeelingsError('too-many-examples', `give ${MOST} examples at most, the clearest`);
    try {
      const post = postOf(example, null, limits);
      const label = names.indexOf(example.label);
      if (label < 0) throw new MixedFeelingsError('unknown-label', `the label ${shown(example.label)} is none of ${names.join(', ')}`);
      if (!post.text?.trim() && post.image === undefined) throw new MixedFeelingsError('empty-post', 'it has neither text nor image');
      taken.push({ post, label });
    } catch (error) {
      throw inExample(error, index);
    }
  }
  if (taken.length) return taken;
  throw new MixedFeelingsError('no-examples', 'there are no examples: give posts with their labels');
}

/** The same error, saying which example it is about. */
function inExample(error: unknown, index: number): unknown {
  if (!(error instanceof MixedFeelingsError)) return error;
  const { code, message, retriable } = error;
  return new MixedFeelingsError(code, `example ${index}: ${message}`, { cause: error, retriable });
}

async function bytesOf(given: unknown): Promise<Uint8Array<ArrayBuffer>> {
  if (isBytes(given)) {
    checkLength(given.byteLength);
    return viewOf(given, 'the profile').slice() as Uint8Array<ArrayBuffer>;
  }
  const kind = kindOf(given);
  if (kind !== 'Blob' && kind !== 'File') {
    throw new MixedFeelingsError('bad-input', `a profile is ${kind}: give the bytes or the file that exportProfile() made`);
  }
  checkLength((given as Blob).size);
  return new Uint8Array(await (given as Blob).arrayBuffer());
}

function checkLength(length: number): void {
  if (length > LONGEST_PROFILE) throw new MixedFeelingsError('not-a-profile', `the profile has ${length} bytes: that is too long for one`);
}
