// The same picture as a file and as an <img>.

import { readFileSync, readdirSync } from 'node:fs';

import { ROOT } from './demo.js';

const FIXTURES = `${ROOT}tests/fixtures/images/`;

/** Pictures of every kind that the package reads, by their names. */
export const fixtures = () =>
  readdirSync(FIXTURES).filter((name) => !name.endsWith('.safetensors')).map((name) => [name, readFileSync(FIXTURES + name)]);

/** Readies `page`, which has `window.analyzer`, for what is below. */
export const prepare = (page) =>
  page.evaluate(() => {
    const outcome = (post) =>
      window.analyzer.analyze(post).then(
        ({ valence, image, decodedBy, incomplete }) => ({ valence, label: image?.label, decodedBy, incomplete }),
        ({ code, message }) => ({ code, message }),
      );
    /** An <img> that shows what `properties` say, when it does. */
    const element = async (properties) => {
      const image = Object.assign(new Image(), properties);
      await new Promise((resolve, reject) => Object.assign(image, { onload: resolve, onerror: reject }));
      return image;
    };
    /** The answers to `blob` as a file and as an <img>. */
    const pair = async (blob) => {
      const image = await element({ src: URL.createObjectURL(blob) });
      const answers = { element: await outcome({ image }), file: await outcome({ image: new File([blob], 'photo') }) };
      URL.revokeObjectURL(image.src);
      return answers;
    };
    const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    /** A photo as a phone of 12 megapixels takes it in the dusk: with a grain of about `grain` levels, the same in each run. */
    const large = async (url, grain) => {
      const photo = await createImageBitmap(await (await fetch(url)).blob());
      const canvas = new OffscreenCanvas(4000, 3000);
      const context = canvas.getContext('2d', { willReadFrequently: true });
      context.drawImage(photo, 0, 0, 4000, 3000);
      const data = context.getImageData(0, 0, 4000, 3000);
      let state = 1;
      for (let i = 0; i < data.data.length; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        if (i % 4 !== 3) data.data[i] += grain * (state / 2 ** 31 - 1);
      }
      context.putImageData(data, 0, 0);
      return canvas.convertToBlob({ type: 'image/jpeg', quality: 0.92 });
    };
    Object.assign(window, { outcome, element, pair, bytes, large });
  });

/** The MIME type of a picture's file. */
export const typeOf = (name) => `image/${name.split('.').at(-1).replace('jpg', 'jpeg')}`;

/** The answers to a file of these bytes, of this kind. */
export const pairOf = (page, name, bytes) =>
  page.evaluate(
    (text, type) => window.pair(new Blob([window.bytes(text)], { type })),
    bytes.toString('base64'),
    typeOf(name),
  );

/** The answers to a photo of the demo's, enlarged to 12 megapixels with such a grain. */
export const largePair = (page, url, grain) => page.evaluate(async (url, grain) => window.pair(await window.large(url, grain)), url, grain);
