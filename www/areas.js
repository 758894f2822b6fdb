// The map over the photo in words, for those who do not see it: which of nine areas weighed most.

const AREAS = [
  'upper left', 'top', 'upper right',
  'left', 'middle', 'right',
  'lower left', 'bottom', 'lower right',
];

/**
 * "The upper left of the picture weighed most: it spoke for positive." From the analysis's `regions` and the `label`
 * that it is about; empty where no region weighed anything.
 */
export function areaText({ columns, rows, weights }, label) {
  const sums = AREAS.map(() => ({ weight: 0, cells: 0 }));
  weights.forEach((weight, i) => {
    const sum = sums[3 * third(Math.floor(i / columns), rows) + third(i % columns, columns)];
    sum.weight += weight;
    sum.cells += 1;
  });
  // The mean, not the sum: a grid that three does not divide has areas of different sizes, or none at all.
  const means = sums.map(({ weight, cells }) => (cells ? weight / cells : 0));
  const heaviest = means.reduce((best, mean, i) => (Math.abs(mean) > Math.abs(means[best]) ? i : best), 0);
  if (means[heaviest] === 0) return '';
  const side = means[heaviest] > 0 ? 'for' : 'against';
  return `The ${AREAS[heaviest]} of the picture weighed most: it spoke ${side} ${label}.`;
}

/** In which third of `count` cells the middle of cell `index` lies: 0, 1 or 2. */
function third(index, count) {
  return Math.floor((3 * (index + 0.5)) / count);
}
