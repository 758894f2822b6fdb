// The picture regions in words: no browser, only arithmetic.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { areaText } from '../../../www/areas.js';

/** A grid of `side` x `side` cells that weigh nothing, except those in `heavy` (`[row, column, weight]`). */
function grid(side, ...heavy) {
  const weights = Array(side * side).fill(0);
  for (const [row, column, weight] of heavy) weights[row * side + column] = weight;
  return { columns: side, rows: side, weights };
}

/** The sentence's area alone. */
const area = (regions) => /^The (.*) of the picture/.exec(areaText(regions, 'positive'))?.[1];

const NINE = ['upper left', 'top', 'upper right', 'left', 'middle', 'right', 'lower left', 'bottom', 'lower right'];

describe('the area that weighed most', () => {
  it('is each of the nine', () => {
    for (const [i, name] of NINE.entries()) {
      const [row, column] = [Math.floor(i / 3), i % 3];
      assert.equal(area(grid(3, [row, column, 1])), name);
      assert.equal(area(grid(7, [3 * row, 3 * column, 1])), name);
    }
  });

  it('says whether it spoke for the label or against it', () => {
    assert.equal(areaText(grid(3, [0, 0, 1]), 'neutral'), 'The upper left of the picture weighed most: it spoke for neutral.');
    const against = grid(3, [0, 0, 0.5], [2, 2, -1]);
    assert.equal(areaText(against, 'negative'), 'The lower right of the picture weighed most: it spoke against negative.');
  });

  it('is the heaviest for its size, not the largest', () => {
    // Three columns of seven lie in the middle, two on either side.
    const everywhere = { columns: 7, rows: 7, weights: Array(49).fill(0.5) };
    everywhere.weights[6] = 1;
    assert.equal(area(everywhere), 'upper right');
  });

  it('needs no grid that three divides', () => {
    assert.equal(area(grid(1, [0, 0, 1])), 'middle');
    assert.equal(area(grid(2, [1, 0, 1])), 'lower left');
    assert.equal(area({ columns: 4, rows: 1, weights: [0, 0, 0, 1] }), 'right');
  });

  it('is none where nothing weighed anything', () => {
    assert.equal(areaText(grid(7), 'positive'), '');
  });
});
