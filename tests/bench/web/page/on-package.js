// The npm package on a device of choice, asked for posts of one kind.

import { createAnalyzer, wasmBytes } from './package.js';

export async function openPackage({ device, kind, picture }, { texts, pictures }) {
  const analyzer = await createAnalyzer({ device });
  await analyzer.warmup();
  await expect();
  let stages = [];

  async function expect() {
    const info = await analyzer.info();
    if (info.device !== device) throw new Error(info.why.device);
  }

  const postOf = (i) =>
    kind === 'text' ? { text: texts[i].text } : { image: new ImageData(pictures[i], picture.side, picture.side) };

  /** The probabilities of each post. */
  async function ask(which) {
    const posts = which.map(postOf);
    const answers = [];
    if (posts.length === 1) answers.push(await analyzer.analyze(posts[0]));
    else {
      for await (const { analysis, error } of analyzer.analyzeBatch(posts)) {
        if (error) throw error;
        answers.push(analysis);
      }
    }
    await expect();
    stages = answers.map(({ timings }) => timings[kind]);
    return answers.map(({ scores }) => Object.values(scores));
  }

  return {
    ask,
    /** Milliseconds of the encoder for each post of the last batch, by the program's own clock. */
    stageMs: () => stages.reduce((a, b) => a + b, 0) / stages.length,
    wasmBytes: () => wasmBytes(analyzer),
  };
}
