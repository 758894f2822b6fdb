/** The one error type of this package. */

import type { EngineErrorCode } from './analysis.js';

/** What went wrong, in a form that a program can compare. Codes may be added, none changes its meaning. */
export type ErrorCode =
  | EngineErrorCode
  // The pictures' way to the engine.
  | 'image-fetch'
  | 'image-timeout'
  // Of a post in a batch: its own signal gave it up.
  | 'aborted'
  // Nothing was learned that could be exported.
  | 'no-profile'
  // The bundle's download.
  | 'bundle-fetch'
  | 'bundle-checksum'
  // The programs, and the thread that they run in.
  | 'unsupported'
  | 'wasm-fetch'
  | 'worker-failed'
  | 'crashed'
  | 'disposed'
  // Codes of later releases stay assignable, and known ones are still suggested by editors.
  | (string & {});

/** Codes of what may go well the next time, with nothing changed. What else may, says so where it is thrown. */
const PASSING: readonly ErrorCode[] = ['image-timeout', 'image-memory', 'worker-failed', 'crashed'];

/** The longest message, in UTF-16 units: what was given can be of any length, a log is read by people. */
const LONGEST_MESSAGE = 300;

/** How an error came about, and whether it may pass. */
export interface MixedFeelingsErrorOptions extends ErrorOptions {
  readonly retriable?: boolean | undefined;
}

/** Anything that goes wrong in this package, aborted signals apart: those reject with the signal's own reason. */
export class MixedFeelingsError extends Error {
  readonly code: ErrorCode;
  /** Whether the same call may go well the next time: the network or a worker failed, not what was given. */
  readonly retriable: boolean;

  constructor(code: ErrorCode, message: string, options?: MixedFeelingsErrorOptions) {
    super(cut(withoutUser(message), LONGEST_MESSAGE), options);
    this.name = 'MixedFeelingsError';
    this.code = code;
    this.retriable = options?.retriable ?? PASSING.includes(code);
  }
}

/** What a message shows of `value`: its beginning, so that the message still has room to say what is wrong. */
export function shown(value: unknown): string {
  try {
    return cut(withoutUser(String(value)), 120);
  } catch {
    return 'what cannot be shown';
  }
}

/** What `look` sees in something that a caller gave, whose getters and proxies may throw anything. */
export function seen<T>(look: () => T): T {
  try {
    return look();
  } catch (cause) {
    if (cause instanceof MixedFeelingsError) throw cause;
    throw new MixedFeelingsError('bad-input', `what was given cannot be looked at: ${shown(cause)}`, { cause });
  }
}

/** `text` without the names and passwords of the URLs in it: messages end in logs. */
function withoutUser(text: string): string {
  return text.replace(/\/\/[^\s/?#]*@/g, '//');
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}\u2026`;
}
