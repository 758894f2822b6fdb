// What each consumer of the table does: opens an analyzer with the package's own weights and asks it for three posts.

import { posts } from './posts.js';

/** The answers, and where they were made; or `{ error }`, which says why there are none. */
export async function outcome(createAnalyzer, options) {
  try {
    // Patient: that a machine is busy says nothing about the package.
    const analyzer = await createAnalyzer({ timeout: 240_000, ...options });
    const answers = {};
    for (const [name, post] of Object.entries(posts)) answers[name] = answerOf(await analyzer.analyze(post));
    const { backend, worker } = analyzer;
    analyzer.dispose();
    return { backend, worker, answers };
  } catch (error) {
    const cause = error?.cause ? ` (because: ${error.cause})` : '';
    return { error: `${error?.code ?? error?.name}: ${error?.message}${cause}` };
  }
}

/** All of an answer but the times. */
function answerOf({ timings, ...answer }) {
  return answer;
}
