/**
 * What the engine answers. Made of the Rust types by `tests/typescript.rs`: change those.
 */

import type { Scores, SentimentLabel } from './types.js';

/** One of the answers that a bundle knows. */
export interface Label<L extends string = SentimentLabel> {
  /** Its name. */
  readonly name: L;
  /** From -1 (unpleasant) to 1 (pleasant). */
  readonly polarity: number;
}

/** The answer of one head: from the text, from the picture, or from both. */
export interface Reading<L extends string = SentimentLabel> {
  /** The most probable label. */
  readonly label: L;
  /** The probability of each label. */
  readonly scores: Scores<L>;
  /** From -1 (unpleasant) to 1 (pleasant): the sum of each label's polarity times its probability. */
  readonly valence: number;
}

/** A word of the text and its share of the label's logit. */
export interface WordWeight {
  /** The word as it stands in the text: in JavaScript, `text.slice(start, end)`. */
  readonly text: string;
  /** Where it starts in the text, in UTF-16 code units (what JavaScript counts). */
  readonly start: number;
  /** Where it ends, exclusive, in UTF-16 code units. */
  readonly end: number;
  /** Its share, in logit units: above 0 it spoke for the label, below 0 against it. See {@link Explanation}. */
  readonly weight: number;
}

/** A grid over the picture and each cell's share of the label's logit. */
export interface RegionWeights {
  /** Cells a row. */
  readonly columns: number;
  /** Rows. */
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
 * `base` + sum of word weights + sum of region weights = `logit` (to 0.001)
 *
 * All weights are on one scale, that of the logit. To show them as colours, divide by the largest magnitude among words
 * and regions together.
 */
export interface Explanation {
  /**
   * The logit of `label`, before its temperature, from the head that answered: the text head for a text alone, the image
   * head for a picture alone, the fused head, through its attention, for both.
   */
  readonly logit: number;
  /**
   * What remains of the logit without words and regions: biases, the tokens `[CLS]` and `[SEP]` that frame every text, and
   * the learned stand-in for a text or picture that is missing.
   */
  readonly base: number;
  /** The words in their order; `null` without a text. */
  readonly words: readonly WordWeight[] | null;
  /** The regions of the picture; `null` without one. */
  readonly regions: RegionWeights | null;
}

/** Milliseconds of each stage. A stage that was not needed took 0. */
export interface StageTimings {
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
}

/** What a post feels, and why. */
export interface EngineAnalysis<L extends string = SentimentLabel> {
  /** The most probable label of the post. */
  readonly label: L;
  /** The probability of each label. */
  readonly scores: Scores<L>;
  /** From -1 (unpleasant) to 1 (pleasant): the sum of each label's polarity times its probability. */
  readonly valence: number;
  /** The probability of `label`. Scores are calibrated: of answers with a confidence of 0.8 about 80 % are right. */
  readonly confidence: number;
  /** Whether the confidence reaches the bundle's threshold. Where it does not, rather do without the label. */
  readonly sure: boolean;
  /** The text alone; `null` without a text. */
  readonly text: Reading<L> | null;
  /** The picture alone; `null` without a picture. */
  readonly image: Reading<L> | null;
  /** The calibrated probability that text and picture point opposite ways; `null` unless both are there. */
  readonly contradiction: number | null;
  /**
   * Whether that reaches the bundle's threshold, which 5 % of the pairs that are not opposed reach; `null` unless both are
   * there.
   */
  readonly contradicts: boolean | null;
  /** How words and regions add up to the answer. */
  readonly explanation: Explanation;
  /** Whether the text was longer than the model reads, so that its end was not read. */
  readonly truncated: boolean;
  /** Whether parts of the picture were missing, so that only what was there was read. */
  readonly incomplete: boolean;
}

/** What a head has learned. */
export interface HeadReport {
  /** `text`, `image` or `fused`. */
  readonly head: 'text' | 'image' | 'fused';
  /** Its examples. */
  readonly examples: number;
  /** How many of them the shipped head labels as they are. */
  readonly before: number;
  /** How many are so labelled by one that has learned from the others. */
  readonly after: number;
  /** Whether it was moved. Where that would have been for the worse with the examples that were left out, it was not. */
  readonly moved: boolean;
}

/** What was learned. */
export interface LearnReport {
  /** Examples that were learned from. */
  readonly examples: number;
  /** How many of them the shipped model labels as they are. */
  readonly before: number;
  /** How many are labelled as they are by a model that has learned from the others: what to expect of the next post. */
  readonly after: number;
  /** The same for each head that an example was for. */
  readonly heads: readonly HeadReport[];
}

/** The codes of the engine's errors. */
export type EngineErrorCode =
  | 'bad-config'
  | 'bad-input'
  | 'bad-tokenizer'
  | 'bundle-header'
  | 'bundle-memory'
  | 'bundle-metadata'
  | 'bundle-tensor'
  | 'bundle-truncated'
  | 'bundle-version'
  | 'empty-post'
  | 'image-corrupt'
  | 'image-empty'
  | 'image-memory'
  | 'image-shape'
  | 'image-too-large'
  | 'image-unsupported'
  | 'no-examples'
  | 'not-a-bundle'
  | 'not-a-profile'
  | 'not-an-image'
  | 'profile-bundle'
  | 'profile-damaged'
  | 'profile-version'
  | 'text-too-long'
  | 'token-ids'
  | 'too-many-examples'
  | 'unknown-label';
