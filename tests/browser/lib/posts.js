// Varied posts: made-up texts, and the demo photos cut, turned, brightened and encoded anew.

import { readFileSync } from 'node:fs';

import { EXAMPLES } from '../../../www/examples.js';
import { ROOT } from './demo.js';
import { bmp, turned } from './files.js';

/** Texts of all kinds: plain, shouted, ironic, in other scripts, with emoji, very long, very short. */
export const TEXTS = JSON.parse(readFileSync(`${ROOT}tests/digest/texts.json`, 'utf8'));

// How a photo is drawn: the part of it (x, y, width, height as fractions), mirrored, brightness, sides in pixels, type.
const DRAWINGS = [
  { part: [0, 0, 1, 1], side: 320, type: 'image/jpeg' },
  { part: [0, 0, 0.5, 0.5], side: 400, type: 'image/png' },
  { part: [0.3, 0.2, 0.6, 0.7], mirror: true, side: 500, type: 'image/webp' },
  { part: [0, 0, 1, 1], brightness: 0.4, side: 300, type: 'image/jpeg' },
  { part: [0, 0, 1, 1], brightness: 1.7, side: 256, type: 'image/png' },
  { part: [0.1, 0.4, 0.8, 0.3], side: 640, type: 'image/jpeg' },
  { part: [0.4, 0, 0.15, 1], side: 500, type: 'image/webp' },
  { part: [0.25, 0.25, 0.5, 0.5], side: 33, type: 'image/png' },
  { part: [0, 0, 1, 1], mirror: true, side: 200, type: 'bmp' },
];

/** All pictures as `{ name, bytes }`: each photo as it is, turned by EXIF, and in every drawing, drawn in `page`. */
export async function makePictures(page) {
  const pictures = [];
  for (const [number, { photo }] of EXAMPLES.entries()) {
    const jpeg = readFileSync(`${ROOT}www/photos/${photo}`);
    const stem = photo.replace(/\.\w+$/, '');
    pictures.push({ name: `${stem}.jpg`, bytes: jpeg });
    pictures.push({ name: `${stem}-turned.jpg`, bytes: turned(jpeg, 2 + (number % 7)) });
    for (const [i, drawing] of DRAWINGS.entries()) {
      const drawn = await page.evaluate(draw, { jpeg: jpeg.toString('base64'), drawing });
      const bytes = Buffer.from(drawn.base64, 'base64');
      const file = drawing.type === 'bmp' ? bmp(drawn.width, drawn.height, bytes) : bytes;
      pictures.push({ name: `${stem}-${i}.${drawing.type.replace('image/', '')}`, bytes: file });
    }
  }
  return pictures;
}

/** Runs in the page: draws a photo and returns the encoded file, or the bare RGBA pixels for `bmp`. */
async function draw({ jpeg, drawing: { part, mirror, brightness = 1, side, type } }) {
  const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(jpeg), (c) => c.charCodeAt(0))]));
  const [x, y, w, h] = part.map((p, i) => p * (i % 2 ? bitmap.height : bitmap.width));
  const scale = side / Math.max(w, h);
  const width = Math.max(1, Math.round(w * scale));
  const height = Math.max(1, Math.round(h * scale));
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d');
  context.filter = `brightness(${brightness})`;
  if (mirror) context.transform(-1, 0, 0, 1, width, 0);
  context.drawImage(bitmap, x, y, w, h, 0, 0, width, height);
  const bytes =
    type === 'bmp'
      ? context.getImageData(0, 0, width, height).data
      : new Uint8Array(await (await canvas.convertToBlob({ type, quality: 0.85 })).arrayBuffer());
  let binary = '';
  for (let i = 0; i < bytes.length; i += 0x8000) binary += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return { base64: btoa(binary), width, height };
}

/** Posts of every kind: each text alone, each picture alone, and pairs, `count` pairs at least. */
export function makePosts(pictures, pairs) {
  const posts = TEXTS.map((text) => ({ text, picture: null }));
  posts.push(...pictures.map((picture) => ({ text: null, picture })));
  // Steps that share no factor with the lengths walk through all combinations.
  for (let i = 0; i < pairs; i++) {
    posts.push({ text: TEXTS[(i * 7) % TEXTS.length], picture: pictures[(i * 5) % pictures.length] });
  }
  return posts;
}
