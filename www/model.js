// The model behind the page: loaded once, asked one post at a time, the newest post first.

import { createAnalyzer } from './pkg/dist/index.js';

/**
 * Loads the model. `onProgress` is told how far it is, as the package's `Progress` type says.
 * Returns `ask(post)`, which resolves to the analysis, with all `labels` of the model, or to `null` when a newer post
 * overtook this one in the queue.
 */
export async function loadModel(onProgress) {
  const analyzer = await createAnalyzer({ onProgress });
  // The decoder comes with the first picture: this one, so that the page works offline from here on.
  await analyzer.analyze({ image: new ImageData(8, 8) }).catch(() => {});
  let waiting = null;
  let running = false;

  async function run() {
    running = true;
    while (waiting) {
      const { post, resolve, reject } = waiting;
      waiting = null;
      try {
        const analysis = await analyzer.analyze(inputOf(post));
        resolve({ ...analysis, labels: analyzer.labels });
      } catch (error) {
        reject(error);
      }
    }
    running = false;
  }

  return function ask(post) {
    return new Promise((resolve, reject) => {
      waiting?.resolve(null);
      waiting = { post, resolve, reject };
      if (!running) run();
    });
  };
}

/** Only what is there: an absent modality is left out, not sent empty. */
function inputOf({ text, image }) {
  const input = {};
  if (text.trim()) input.text = text;
  if (image) input.image = image;
  return input;
}
