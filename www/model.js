// The model behind the page: loaded once, asked one post at a time, the newest post first.

import { createAnalyzer } from './pkg/dist/index.js';

/**
 * Loads the model. `onProgress` is told how far it is, as the package's `Progress` type says. Returns
 * - `ask(post)`, which resolves to the analysis, with all `labels` of the model, or to `null` when a newer post overtook
 *   this one in the queue;
 * - `alone(modality, post)`: the analysis of the post's `'text'` or `'image'` without the other;
 * - `labels` of the model, and the package's `analyzer` itself;
 * - `settled()`, which resolves to the analyzer once no other is being got ready: one that is replaced answers no more;
 * - `use(device, first)`: from now on, `'cpu'` or `'webgpu'` reads. What was learned is known to it too. Resolves to what
 *   `first` comes to, which is asked of the analyzer that is replaced.
 */
export async function loadModel(onProgress) {
  let analyzer = await createAnalyzer({ onProgress, device: 'cpu' });
  // The decoder comes with the first picture: this one, so that the page works offline from here on.
  await analyzer.analyze({ image: new ImageData(8, 8) }).catch(() => {});
  let photos = new WeakMap(); // a photo that was read alone -> Promise of its analysis
  let waiting = null;
  let running = null; // a promise, while posts are read
  let switching = Promise.resolve(); // while another device is got ready

  const read = async (post) => ({ ...(await analyzer.analyze(inputOf(post))), labels: analyzer.labels });

  async function run() {
    while (waiting) {
      const { post, resolve, reject } = waiting;
      waiting = null;
      await read(post).then(resolve, reject);
    }
    running = null;
  }

  async function replace(device, first) {
    const told = await first(analyzer);
    const other = await createAnalyzer({ device });
    try {
      await other.warmup();
      await teach(other, analyzer);
    } catch (error) {
      other.dispose();
      throw error;
    }
    const last = analyzer;
    analyzer = other;
    photos = new WeakMap();
    await running; // it may still be the other's
    last.dispose();
    return told;
  }

  return {
    labels: analyzer.labels,
    get analyzer() {
      return analyzer;
    },

    async settled() {
      await switching;
      return analyzer;
    },

    use(device, first = () => {}) {
      const replacing = replace(device, first);
      switching = replacing.catch(() => {}); // whoever asked is told
      return replacing;
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

/** Has `pupil` know what `master` has learned, if anything. */
async function teach(pupil, master) {
  const profile = await master.exportProfile().catch((error) => {
    if (error.code === 'no-profile') return null;
    throw error;
  });
  if (profile) await pupil.importProfile(profile);
}

/** Only what is there: an absent modality is left out, not sent empty. */
function inputOf({ text, image }) {
  const input = {};
  if (text.trim()) input.text = text;
  if (image) input.image = image;
  return input;
}
