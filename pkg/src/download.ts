/** One answer of a server, chunk by chunk: what may be wrong with it, and who is told. */

import { after, onAbort, orAborted, throwIfAborted } from './abort.js';
import type { FetchInit } from './api.js';
import { MixedFeelingsError, shown, type ErrorCode } from './errors.js';
import type { Fetch } from './platform.js';

/** What ends a download early. */
export interface WaitingOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds without a byte after which nothing more is expected. */
  readonly patience: number;
}

/** How to ask. */
export interface DownloadOptions extends WaitingOptions {
  readonly fetch: Fetch;
  readonly init?: Omit<FetchInit, 'signal'> | undefined;
}

/** A body that cannot be had whole, or that is not what was asked for. */
export class UnusableBody extends MixedFeelingsError {}

/** Statuses with which a server says that it may work later. */
const PASSING = [408, 425, 429];

/** A body on its way. */
export class Download {
  /** Bytes that will come, where that is known. */
  readonly total: number | null;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #started = false;

  private constructor(
    response: Response,
    readonly cached: boolean,
    private readonly name: string,
    private readonly code: ErrorCode,
    private readonly waiting: Waiting,
  ) {
    this.total = lengthOf(response);
    this.#reader = response.body?.getReader();
  }

  /**
   * Asks for `url`.
   *
   * @throws {MixedFeelingsError} with `code` when nobody answers, or not with what was asked for.
   */
  static async of(url: URL, code: ErrorCode, options: DownloadOptions): Promise<Download> {
    const waiting = new Waiting(url.href, code, options);
    let response: Response;
    try {
      response = await waiting.during(async () => options.fetch(url.href, { ...options.init, signal: waiting.signal }));
    } catch (cause) {
      waiting.end();
      const retriable = url.protocol !== 'blob:';
      throw waiting.given() ?? new MixedFeelingsError(code, cannotBeFetched(url, cause), { cause, retriable });
    }
    // A part that nobody asked for is not the file.
    if (response.ok && response.status !== 206) return new Download(response, false, url.href, code, waiting);
    waiting.end();
    response.body?.cancel().catch(() => {});
    const { status } = response;
    const retriable = status >= 500 || PASSING.includes(status);
    // What belongs to the package is missing where a bundler took the scripts alone.
    const hint = status === 404 && code !== 'image-fetch' ? ': is it there? esbuild, Rollup and Rolldown copy no such files' : '';
    throw new MixedFeelingsError(code, `${shown(url.href)} cannot be fetched: the server answers ${status}${hint}`, { retriable });
  }

  /** What a cache has of it. */
  static stored(response: Response, url: URL, code: ErrorCode, options: WaitingOptions): Download {
    return new Download(response, true, url.href, code, new Waiting(url.href, code, options));
  }

  /** What the caller has asked for already. */
  static given(response: Response, name: string, code: ErrorCode, options: WaitingOptions): Download {
    if (!response.ok) {
      throw new MixedFeelingsError(code, `${shown(name)} cannot be had: its status is ${response.status}`);
    }
    return new Download(response, false, name, code, new Waiting(name, code, options));
  }

  /** The next bytes; nothing after the last. */
  async next(): Promise<Uint8Array | undefined> {
    let chunk: ReadableStreamReadResult<Uint8Array> | undefined;
    try {
      chunk = await this.waiting.during(async () => this.#reader?.read());
    } catch (cause) {
      throw this.waiting.given() ?? this.#unusable(`the connection broke: ${shown(cause)}`, true, cause);
    }
    if (!chunk || chunk.done) return undefined;
    if (!this.#started) this.#check(chunk.value);
    this.#started = true;
    return chunk.value;
  }

  /** What is not read to its end need not be sent. */
  end(): void {
    this.waiting.end();
    this.#reader?.cancel().catch(() => {});
  }

  /** A host that answers everything with its start page says that all is well: the first bytes tell. */
  #check(first: Uint8Array): void {
    if (this.code === 'image-fetch') return; // The decoder says what a picture is.
    if (isWebPage(first)) throw this.#unusable('a web page came in place of the file: is it on the server?', false);
    const isWasm = [0, 0x61, 0x73, 0x6d].every((byte, i) => i >= first.length || first[i] === byte);
    if (this.code === 'wasm-fetch' && !isWasm) throw this.#unusable('what came is no WebAssembly program', false);
  }

  #unusable(reason: string, retriable: boolean, cause?: unknown): UnusableBody {
    return new UnusableBody(this.code, `${shown(this.name)}: ${reason}`, { cause, retriable });
  }
}

/** Ends when the caller's signal does, or when what is waited for takes too long. */
class Waiting {
  readonly #controller = new AbortController();
  readonly #forget: () => void;

  constructor(
    private readonly name: string,
    private readonly code: ErrorCode,
    private readonly options: WaitingOptions,
  ) {
    this.#forget = onAbort(options.signal, () => this.#controller.abort(options.signal?.reason));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** What `work` comes to, within the time that it may take. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    throwIfAborted(this.signal);
    const { patience } = this.options;
    const late = () => {
      const message = `${shown(this.name)}: nothing came for ${patience} ms`;
      this.#controller.abort(new UnusableBody(this.code, message, { retriable: true }));
    };
    const stop = after(patience, late);
    try {
      return await orAborted(work(), this.signal);
    } finally {
      stop();
    }
  }

  /** Why it was given up, if it was: to be thrown in place of the network's error. */
  given(): unknown {
    if (!this.signal.aborted) return undefined;
    throwIfAborted(this.options.signal);
    return this.signal.reason;
  }

  end(): void {
    this.#forget();
  }
}

/** All of `chunks` in one. */
export function joined(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0));
  let position = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, position);
    position += chunk.length;
  }
  return bytes;
}

function isWebPage(first: Uint8Array): boolean {
  const start = new TextDecoder().decode(first.subarray(0, 256));
  return /^\s*<(!doctype|!--|\?xml|html|head|meta|title|body|script)/i.test(start);
}

function cannotBeFetched(url: URL, cause: unknown): string {
  const hint = url.protocol === 'blob:' ? ' (it was revoked, or the policy\'s connect-src lacks blob:)' : '';
  return `${shown(url.href)} cannot be fetched${hint}: ${shown(cause)}`;
}

/** The length of a compressed response says nothing about the bytes that come out. */
function lengthOf({ headers }: Response): number | null {
  const length = headers.has('content-encoding') ? null : headers.get('content-length');
  return length === null ? null : Number(length) || null;
}
