// The model behind the page: loaded once, asked one post at a time, the newest post first.

import { createAnalyzer } from './pkg/dist/index.js';

/**
 * Loads the model. `onProgress` is told how far it is, as the package's `Progress` type says. Returns
 * - `ask(post)`, which resolves to the analysis, with all `labels` of the model, or to `null` when a newer post overtook
 *   this one in the queue;
 * - `alone(modality, post)`: the analysis of the post's `'text'` or `'image'` without the other;
 * - `labels` of the model, and the package's `analyzer` itself;
 * - `use(device)`: from now on, `'cpu'` or `'webgpu'` reads.
 */
export async function loadModel(onProgress) {
  let analyzer = await createAnalyzer({ onProgress, device: 'cpu' });
  // The decoder comes with the first picture: this one, so that the page works offline from here on.
  await analyzer.analyze({ image: new ImageData(8, 8) }).catch(() => {});
  let photos = new WeakMap(); // a photo that was read alone -> Promise of its analysis
  let waiting = null;
  let running = null; // a promise, while posts are read

  const read = async (post) => ({ ...(await analyzer.analyze(inputOf(post))), labels: analyzer.labels });

  async function run() {
    while (waiting) {
      const { post, resolve, reject } = waiting;
      waiting = null;
      await read(post).then(resolve, reject);
    }
    running = null;
  }

  return {
    labels: analyzer.labels,
    get analyzer() {
      return analyzer;
    },

    async use(device) {
      const other = await createAnalyzer({ device });
      await other.warmup();
      const last = analyzer;
      analyzer = other;
      photos = new WeakMap();
      await running; // it may still be the other's
      last.dispose();
    },

    ask(post) {
      return new Promise((resolve, reject) => {
        waiting?.resolve(null);
        waiting = { post, resolve, reject };
        running ??= run();
      });
    },

    alone(modality, { text, image }) {
      if (modality === 'text') return read({ text, image: null });
      if (!photos.has(image)) {
        photos.set(image, read({ text: '', image }));
        photos.get(image).catch(() => photos.delete(image)); // the next call tries again
      }
      return photos.get(image);
    },
  };
}

/** Only what is there: an absent modality is left out, not sent empty. */
function inputOf({ text, image }) {
  const input = {};
  if (text.trim()) input.text = text;
  if (image) input.image = image;
  return input;
}
