/**
 * What goes in and what comes out: posts, pictures and analyses, nothing that runs. `api.ts` has what one calls.
 *
 * The labels are the bundle's. Types that name them take the names as `L`, by default those of the package's own bundle.
 */

import type { MixedFeelingsError } from './errors.js';

/**
 * The class that is global by this name, where there is one: so these types compile with and without those of a browser.
 * A function that takes a `Known<'HTMLImageElement'>` takes none where TypeScript knows of none.
 */
export type Known<Name extends string> = typeof globalThis extends Record<Name, { prototype: infer Class }> ? Class : never;

/** The names of the labels in the bundle that comes with the package. */
export type SentimentLabel = 'negative' | 'neutral' | 'positive';

/** One of the answers that a bundle knows. */
export interface Label<L extends string = SentimentLabel> {
  readonly name: L;
  /** From -1 (unpleasant) to 1 (pleasant). */
  readonly polarity: number;
}

/** The probability of each label, by its name; they sum to one. */
export type Scores<L extends string = SentimentLabel> = Readonly<Record<L, number>>;

/** The answer of one head: from the text, from the picture, or from both. */
export interface Reading<L extends string = SentimentLabel> {
  /** The most probable label. */
  readonly label: L;
  readonly scores: Scores<L>;
  /** From -1 (unpleasant) to 1 (pleasant): the sum of each label's polarity times its probability. */
  readonly valence: number;
}

/** A word of the text and its share of the label's logit. */
export interface WordWeight {
  /** The word as it stands in the text: `text.slice(start, end)`. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** Its share, in logit units: above 0 it spoke for the label, below 0 against it. See {@link Explanation}. */
  readonly weight: number;
}

/** A grid over the picture and each cell's share of the label's logit. */
export interface RegionWeights {
  readonly columns: number;
  readonly rows: number;
  /**
   * `rows * columns` shares, row by row from the top left, in logit units: above 0 the cell spoke for the label, below 0
   * against it. See {@link Explanation}.
   */
  readonly weights: readonly number[];
}

/**
 * How the words and the regions of the picture add up to the answer:
 *
 *     base + sum of word weights + sum of region weights = logit        (to 0.001)
 *
 * All weights are on one scale, that of the logit. To show them as colours, divide by the largest magnitude among words
 * and regions together.
 */
export interface Explanation {
  /**
   * The logit of `label`, from the head that answered: the text head for a text alone, the image head for a picture
   * alone, the fused head, through its attention, for both. Scores come from logits divided by a temperature; this is the
   * logit before that.
   */
  readonly logit: number;
  /**
   * What remains of the logit without words and regions: biases, the two tokens that frame every text, and the learned
   * stand-in for a text or picture that is missing.
   */
  readonly base: number;
  /** The words in their order; `null` without a text. */
  readonly words: readonly WordWeight[] | null;
  /** The regions of the picture; `null` without one. */
  readonly regions: RegionWeights | null;
}

/** Milliseconds. A stage that was not needed took 0. */
export interface Timings {
  /** Cleaning the text and splitting it into word pieces. */
  readonly tokenize: number;
  /** The text encoder. */
  readonly text: number;
  /** From a file's bytes, or a bitmap, to pixels. */
  readonly decode: number;
  /** Scaling the picture to the encoder's size, and the image encoder. */
  readonly image: number;
  /** Fusion, heads and explanation. */
  readonly fusion: number;
  /** From the call to the answer: waiting for its turn, fetching an image URL and messages included. */
  readonly total: number;
}

/** What a post feels, and why. */
export interface Analysis<L extends string = SentimentLabel> extends Reading<L> {
  /** The probability of `label`. Scores are calibrated: of answers with a confidence of 0.8 about 80 % are right. */
  readonly confidence: number;
  /** Whether the confidence reaches the bundle's threshold. Where it does not, rather do without the label. */
  readonly sure: boolean;
  /** The text alone; `null` without one. */
  readonly text: Reading<L> | null;
  /** The picture alone; `null` without one. */
  readonly image: Reading<L> | null;
  /** The calibrated probability that text and picture point opposite ways; `null` unless both are there. */
  readonly contradiction: number | null;
  /** Whether that reaches the bundle's threshold, which 5 % of the pairs that are not opposed reach; `null` unless both are there. */
  readonly contradicts: boolean | null;
  readonly explanation: Explanation;
  /** Whether the text was longer than the model reads, so that its end was not read. */
  readonly truncated: boolean;
  /** Whether parts of the picture were missing, so that only what was there was read. */
  readonly incomplete: boolean;
  /**
   * Whose decoder read the picture: `'package'` gives the same pixels in every browser, `'browser'` what this one shows.
   * `null` without a picture.
   */
  readonly decodedBy: 'package' | 'browser' | null;
  readonly timings: Timings;
}

/**
 * A picture in any form that a page has it in; in Node.js, Deno and Bun a string may be a path. Files, URLs and bytes are decoded by the package's own decoder (JPEG,
 * PNG, WebP, GIF, BMP), so that every engine sees the same pixels, and by the browser's where the package has none
 * (AVIF, HEIC, JPEG XL, SVG, as far as the browser reads them). An `<img>` is read from the file behind it, where the page may
 * fetch that and it shows the same; one that is still loading is waited for. Other elements, canvases and bitmaps give their
 * pixels as they are at the call, scaled down by the browser where there are more than 16 million. Canvases and `ImageData` are copied at the call: wait for each when there are many. An `ImageData` of more
 * than 16 million pixels is averaged down. An empty string is no picture.
 */
export type ImageSource =
  | string
  | ArrayBuffer
  | ArrayBufferView
  | Known<'Blob'>
  | Known<'URL'>
  | Known<'HTMLImageElement'>
  | Known<'HTMLCanvasElement'>
  | Known<'OffscreenCanvas'>
  | Known<'ImageBitmap'>
  | Known<'ImageData'>;

/** How a call is made. */
export interface AnalyzeOptions {
  /** Gives up: the promise rejects with the signal's reason, and a download ends. */
  readonly signal?: Known<'AbortSignal'> | null | undefined;
  /** As in {@link AnalyzerOptions}, for this picture. */
  readonly timeout?: number | null | undefined;
}

/** A text, a picture, or both; what it says of how it is read counts where the call itself says nothing. */
export interface Post extends AnalyzeOptions {
  readonly text?: string | null | undefined;
  readonly image?: ImageSource | null | undefined;
}

/** One post of many: its analysis, or why there is none. */
export type BatchResult<L extends string = SentimentLabel> =
  /** `index` counts from 0, in the order of the posts. */
  | { readonly index: number; readonly analysis: Analysis<L>; readonly error: null }
  | { readonly index: number; readonly analysis: null; readonly error: MixedFeelingsError };

/** How far {@link Analyzer.analyzeBatch} has come. */
export interface BatchProgress {
  /** Posts that were answered, with an analysis or an error. */
  readonly done: number;
  /** Posts in all, where that is known: of an array, not of an iterator. */
  readonly total: number | null;
}

/** How many posts are read. */
export interface BatchOptions extends AnalyzeOptions {
  /** Told after each post. What it throws is logged once and stops nothing. */
  readonly onProgress?: ((progress: BatchProgress) => void) | null | undefined;
}
