/** The one error type of this package. */

/** What went wrong, in a form that a program can compare. Codes may be added, none changes its meaning. */
export type ErrorCode =
  // The input of `analyze`.
  | 'empty-post'
  | 'text-too-long'
  | 'bad-input'
  | 'image-fetch'
  | 'image-empty'
  | 'not-an-image'
  | 'image-unsupported'
  | 'image-too-large'
  | 'image-corrupt'
  | 'image-shape'
  | 'image-memory'
  // The bundle.
  | 'bundle-fetch'
  | 'bundle-checksum'
  | 'not-a-bundle'
  | 'bundle-truncated'
  | 'bundle-memory'
  | 'bundle-header'
  | 'bundle-version'
  | 'bundle-metadata'
  | 'bundle-tensor'
  | 'bad-config'
  | 'bad-tokenizer'
  // The engine.
  | 'unsupported'
  | 'wasm-fetch'
  | 'worker-failed'
  | 'crashed'
  | 'disposed'
  // Codes of later releases stay assignable, and known ones are still suggested by editors.
  | (string & {});

/** Anything that goes wrong in this package, aborted signals apart: those reject with the signal's own reason. */
export class MixedFeelingsError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'MixedFeelingsError';
    this.code = code;
  }
}
