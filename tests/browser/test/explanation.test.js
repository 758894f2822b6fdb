// The explanation is exact: base and shares of words and regions add up to the label's logit.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';

import { EXAMPLES } from '../../../www/examples.js';
import { analyze, openAnalyzer, openBlank, start } from '../lib/browser.js';
import { ROOT } from '../lib/demo.js';
import { TEXTS } from '../lib/posts.js';

const TOLERANCE = 1e-3;

const photoOf = ({ photo }) => readFileSync(`${ROOT}www/photos/${photo}`);
const POSTS = {
  'a text': TEXTS.map((text) => ({ text })),
  'a picture': EXAMPLES.map((example) => ({ image: photoOf(example) })),
  both: EXAMPLES.map((example) => ({ text: example.text, image: photoOf(example) })),
};

describe('the explanation adds up', () => {
  let stage;
  let page;
  before(async () => {
    stage = await start();
    page = await openBlank(stage, await stage.newContext());
    await openAnalyzer(page);
  });
  after(async () => {
    await stage?.stop();
  });

  for (const [kind, posts] of Object.entries(POSTS)) {
    it(`for ${kind}`, async (t) => {
      let worst = 0;
      for (const [i, post] of posts.entries()) {
        const { explanation, message } = await analyze(page, post);
        assert.ok(explanation, `${kind} ${i}: ${message}`);
        const { logit, base, words, regions } = explanation;
        assert.deepEqual([words !== null, regions !== null], [Boolean(post.text), Boolean(post.image)]);
        const shares = [...(words ?? []).map(({ weight }) => weight), ...(regions?.weights ?? [])];
        if (regions) assert.equal(regions.weights.length, regions.columns * regions.rows);
        assert.ok([logit, base, ...shares].every(Number.isFinite), `${kind} ${i} has shares that are no numbers`);
        const apart = Math.abs(shares.reduce((sum, share) => sum + share, base) - logit);
        worst = Math.max(worst, apart);
        assert.ok(apart <= TOLERANCE, `${kind} ${i}: base and shares are ${apart} away from the logit ${logit}`);
        // A base that is the whole logit would add up too.
        for (const part of [words?.map(({ weight }) => weight), regions?.weights]) {
          assert.ok(!part || part.some((share) => share !== 0), `${kind} ${i}: nothing had a share`);
        }
      }
      t.diagnostic(`${posts.length} posts, at most ${worst.toExponential(1)} away`);
    });
  }
});
