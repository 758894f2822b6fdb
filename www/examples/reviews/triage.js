// Which pile a review belongs on. The piles say what to do, not how good the review is.

/** The piles in the order in which they are worked through. */
export const PILES = [
  { name: 'first', title: 'Answer first', about: 'clearly unhappy guests, the unhappiest on top' },
  { name: 'look', title: 'Read yourself', about: 'not sure, or words and photo disagree' },
  { name: 'thank', title: 'Say thank you', about: 'clearly happy guests' },
  { name: 'rest', title: 'Nothing to do', about: 'plain facts' },
];

/** The pile of a review that was read. In doubt a person reads it: a wrong "thank you" costs more than a look. */
export function pileOf({ label, sure, contradicts, text, image }, labels) {
  const polarity = (name) => labels.find((one) => one.name === name).polarity;
  const opposed = text && image && polarity(text.label) * polarity(image.label) < 0;
  if (!sure || contradicts || opposed) return 'look';
  const side = polarity(label);
  return side < 0 ? 'first' : side > 0 ? 'thank' : 'rest';
}

/** Reviews with their analyses, in piles: a Map from a pile's name to its reviews, the unhappiest first. */
export function triage(reviews, labels) {
  const piles = new Map(PILES.map(({ name }) => [name, []]));
  for (const review of reviews) piles.get(pileOf(review.analysis, labels)).push(review);
  for (const pile of piles.values()) pile.sort((a, b) => a.analysis.valence - b.analysis.valence);
  return piles;
}
