// What the page says in words: verdicts, percentages, and errors put kindly.

/** A whole percentage, never a false 0 or 100. */
export function percent(p) {
  const n = Math.round(p * 100);
  if (n === 0 && p > 0) return '<1 %';
  if (n === 100 && p < 1) return '>99 %';
  return `${n} %`;
}

/** Megabytes with one decimal. */
export function megabytes(bytes) {
  return (bytes / 1e6).toFixed(1);
}

/** Whole milliseconds, or "under 1". */
export function milliseconds(ms) {
  return ms < 1 ? 'under 1 ms' : `${Math.round(ms)} ms`;
}

/** "1,000 posts", "1 post". */
export function many(number, what) {
  return `${number.toLocaleString('en')} ${what}${number === 1 ? '' : 's'}`;
}

/** With a capital letter, as a sentence begins. */
const capital = (name) => name.replace(/^\p{Ll}/u, (letter) => letter.toUpperCase());

const FIRM = 0.6; // a probability below it is a leaning

/**
 * The verdict as runs of `{ text, label? }`; runs with a label are set in its colour.
 * Whether the reading is sure, and whether words and picture contradict each other, is what the model says of itself.
 */
export function verdict(analysis) {
  const { label, text, image, contradicts, sure } = analysis;
  const run = (text, label) => ({ text, label });
  const doubtful = sure === false;
  if (!text || !image) {
    const feels = text ? 'The words alone feel ' : 'The picture alone feels ';
    const leans = text ? 'I am not sure. The words alone lean ' : 'I am not sure. The picture alone leans ';
    return [run(doubtful ? leans : feels), run(label, label), run('.')];
  }
  const whole = doubtful
    ? [run('I am not sure. As a whole it leans '), run(label, label), run('. ')]
    : [run(capital(label), label), run(' as a whole. ')];
  const firm = ({ scores, label }) => scores[label] >= FIRM;
  const clauses = (the) => [
    run(`${the} words ${firm(text) ? 'are' : 'lean'} `),
    run(text.label, text.label),
    run(`, the picture ${firm(image) ? 'is' : 'leans'} `),
    run(image.label, image.label),
    run('.'),
  ];
  if (contradicts) {
    const clear = text.label !== image.label && text.valence * image.valence < 0;
    return clear
      ? [...whole, run('Words and picture contradict each other: '), ...clauses('the')]
      : [...whole, run('Words and picture may contradict each other, but neither is clear.')];
  }
  if (text.label === image.label) {
    const agreed = text.label === label ? 'Words and picture agree.' : 'Neither says so alone.';
    return [...whole, run(agreed)];
  }
  return [...whole, ...clauses('The')];
}

/** What the words alone say, where they are explained alone. */
export function viewText({ label }) {
  return `For ${label}, the answer to the words alone: without the picture.`;
}

/** The contradiction meter in words: what the number means, not how to feel about it. */
export function contradictionText(p, contradicts) {
  const chance = `${percent(p)} chance that words and picture point opposite ways`;
  return contradicts ? `${chance}: few posts whose words and picture agree come that high.` : `${chance}.`;
}

/** The confidence in words; the scores are calibrated. */
export function confidenceText(confidence, sure) {
  const right = `Of readings as confident as this one, about ${percent(confidence)} are right`;
  return sure === false ? `${right}. That is too few to rely on.` : `${right}.`;
}

// What a person can do about an error, by the package's stable codes.
const FORMATS = 'JPEG, PNG, WebP, GIF and BMP work.';
const REBUILD = 'Reload the page; if that does not help, build it again with `cargo demo`.';
const KIND = {
  'empty-post': 'There is nothing to read yet. Write a few words or add a photo.',
  'text-too-long': 'That is more text than a post can hold. Shorten it and it will be read at once.',
  'not-an-image': `That file is not a picture. ${FORMATS}`,
  'image-unsupported': `That kind of picture cannot be opened here. ${FORMATS}`,
  'image-empty': `That file is empty. ${FORMATS}`,
  'image-too-large': 'That picture is too large to open safely. Try a smaller copy of it.',
  'image-memory': 'That picture is too large for the memory at hand. Try a smaller copy of it.',
  'image-corrupt': 'That picture is damaged and cannot be opened. Try another copy of it.',
  'image-shape': 'That picture has no pixels that could be read. Try another copy of it.',
  'image-fetch': 'The photo could not be fetched. Check the connection and try again.',
  'image-timeout': 'The photo took too long to arrive. Check the connection and try again.',
  'bundle-fetch': 'The model could not be fetched. Check the connection and try again.',
  'bundle-checksum': `The model did not arrive whole. ${REBUILD}`,
  'bundle-truncated': `The model did not arrive whole. ${REBUILD}`,
  'bundle-memory': 'The model does not fit into the memory at hand. Close other pages and try again.',
  'wasm-fetch': 'The program could not be fetched. Check the connection and try again.',
  unsupported: 'This browser lacks WebAssembly SIMD, which the model needs. A current version of it will do.',
  crashed: 'The model stopped at this post, and was started again.',
  'worker-failed': 'The model stopped, or could not be started. Try again.',
};

/** An error as a sentence for people; unknown codes fall back to the error's own message. */
export function kindly(error) {
  const code = error?.code ?? '';
  if (KIND[code]) return KIND[code];
  if (/bundle|^bad-(config|tokenizer)$/.test(code)) return `The model file cannot be used. ${REBUILD}`;
  const message = error?.message ?? String(error);
  return `That did not work: ${message}${/[.!?]$/.test(message) ? '' : '.'}`;
}
