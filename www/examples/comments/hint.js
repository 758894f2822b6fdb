// When a comment box should say something, and what. It hints; it never forbids.

const FIRM = 0.8; // how probable an unpleasant label must be: below, most hints would be wrong
const SHORTEST = 12; // characters; two words are not yet a comment
const PAUSE = 450; // ms without a key: a hint in the middle of a sentence is a nuisance

/** The hint for an analysis: `{ about, words }`, or `null` where there is nothing to say. */
export function hintFor(analysis, labels) {
  const { label, scores, sure, contradicts, explanation } = analysis;
  if (contradicts) return { about: 'contradiction', words: [] };
  const unpleasant = labels.find(({ name }) => name === label).polarity < 0;
  if (!unpleasant || !sure || scores[label] < FIRM) return null;
  const words = (explanation.words ?? [])
    .filter(({ weight, text }) => weight > 0 && /\p{L}{3}/u.test(text))
    .sort((a, b) => b.weight - a.weight)
    .slice(0, 2);
  return { about: 'tone', words: words.map(({ text }) => text) };
}

/**
 * Watches what is being written: returns `changed({ text, image })`, to be called with every key. `show(hint | null)` is
 * called when the writer pauses. A newer comment gives up the reading of an older one.
 */
export function watchComment(analyzer, show) {
  let timer;
  let reading;
  return function changed({ text, image }) {
    clearTimeout(timer);
    reading?.abort();
    if (text.trim().length < SHORTEST) return show(null);
    timer = setTimeout(async () => {
      reading = new AbortController();
      const { signal } = reading;
      try {
        const analysis = await analyzer.analyze({ text, image, signal });
        show(hintFor(analysis, analyzer.labels));
      } catch (error) {
        if (!signal.aborted) show(null); // a hint that fails is no reason to disturb anybody
      }
    }, PAUSE);
  };
}
