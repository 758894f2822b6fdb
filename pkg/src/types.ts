/**
 * What goes in and what comes out: the whole public vocabulary, nothing that runs.
 *
 * The labels are the bundle's. Types that name them take the names as `L`, by default those of the package's own bundle.
 */

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
 * A picture in any form that a page has it in. Files, URLs and bytes are decoded by the package's own decoder (JPEG,
 * PNG, WebP, GIF, BMP), so that every engine sees the same pixels, and by the browser's where the package has none
 * (AVIF, HEIC, JPEG XL, SVG, as far as the browser reads them). Elements, canvases and bitmaps give their pixels as they
 * are at the call, scaled down by the browser where there are more than 16 million; an `<img>` that is still loading
 * is waited for. Canvases and `ImageData` are copied at the call: wait for each when there are many. An `ImageData` of more
 * than 16 million pixels is averaged down. An empty string is no picture.
 */
export type ImageSource =
  | Blob
  | ArrayBuffer
  | ArrayBufferView
  | URL
  | string
  | HTMLImageElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | ImageBitmap
  | ImageData;

/** A text, a picture, or both. */
export interface Post {
  readonly text?: string | null | undefined;
  readonly image?: ImageSource | null | undefined;
  /** Gives up: the promise rejects with the signal's reason, and a download ends. */
  readonly signal?: AbortSignal | null | undefined;
  /** As in {@link AnalyzerOptions}, for this picture. */
  readonly timeout?: number | null | undefined;
}

/** How far {@link createAnalyzer} has come. */
export interface Progress {
  /** `download`: bytes of the bundle are arriving; `load`: they are checked and unpacked; `ready`: done. */
  readonly stage: 'download' | 'load' | 'ready';
  /** Bytes of the bundle that are here. */
  readonly loaded: number;
  /** Bytes of the whole bundle, where the server says so. */
  readonly total: number | null;
  /** Whether they come from the cache and not over the network. */
  readonly cached: boolean;
}

/** Everything about {@link createAnalyzer} that can be chosen; the defaults suit a page. */
export interface AnalyzerOptions {
  /** The bundle: where it is, or its bytes. By default the one that comes with the package. */
  readonly bundle?: string | URL | ArrayBuffer | Uint8Array | null | undefined;
  /**
   * The bundle's SHA-256 in hexadecimal digits. By default it is read from the file `BUNDLE.sha256` beside the
   * default bundle; for another bundle nothing is checked unless this is given.
   */
  readonly sha256?: string | null | undefined;
  /** Told how far loading has come. What it throws is logged once and stops nothing. */
  readonly onProgress?: ((progress: Progress) => void) | null | undefined;
  /** Gives up: the promise rejects with the signal's reason, and nothing stays behind. */
  readonly signal?: AbortSignal | null | undefined;
  /** Whether to work in a web worker, so that the page stays smooth. By default wherever there are workers. */
  readonly worker?: boolean | null | undefined;
  /** Whether to keep the bundle and the program in the browser's Cache Storage, so that the next visit needs no network. By default `true`. */
  readonly cache?: boolean | null | undefined;
  /**
   * Milliseconds, 30,000 by default: how long a picture may take to be there (downloaded, read, decoded), how long a
   * worker may take to start, or be busy without a word (10,000 at least) before it is taken for stuck, and how long a
   * download of the package's own files may stand still.
   */
  readonly timeout?: number | null | undefined;
  /**
   * Whether the browser may decode pictures of formats that the package cannot. Then what it shows is what is read, which
   * may differ from browser to browser: see {@link Analysis.decodedBy}. By default `true`.
   */
  readonly browserDecoder?: boolean | null | undefined;
}

/** Which of the package's programs runs: the one with relaxed SIMD is about twice as fast, the answers are the same. */
export type Backend = 'simd128' | 'relaxed-simd';

/**
 * Reads posts. It is frozen and its functions need no `this`: it may be taken apart, or be put behind a proxy.
 *
 * One post is read at a time, in the order in which they are ready: a text does not wait for a picture that is on its
 * way. A failed one does not disturb the next, not even when it takes the program or its worker down: those come up again
 * by themselves.
 */
export interface Analyzer<L extends string = SentimentLabel> {
  /** The labels that the bundle knows, two or more, in the order of its logits. */
  readonly labels: readonly Label<L>[];
  readonly backend: Backend;
  /** Whether it works in a web worker. */
  readonly worker: boolean;
  /**
   * Reads a post.
   *
   * @throws {MixedFeelingsError} with a `code` that says what is wrong with the input, and `retriable`.
   */
  analyze(this: void, post: Post): Promise<Analysis<L>>;
  /** Frees the memory; calls that still wait reject with the code `disposed`. Harmless when done twice. */
  dispose(this: void): void;
}
