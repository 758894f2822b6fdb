// What is asked of the contenders. No two questions in a row are the same: ours remembers the last answer.

/** How many pictures take turns, unless more are asked for. */
const PICTURES = 4;

/** The texts, pictures and files of a case, and the tensors that other runtimes want in their stead. */
export async function prepareInputs({ texts, picture, photos, count = PICTURES }) {
  const pictures = [];
  if (picture) for (let i = 0; i < count; i++) pictures.push(draw(picture.side, i));
  const jpegs = [];
  for (const url of photos ?? []) jpegs.push(new Uint8Array(await (await fetch(url)).arrayBuffer()));
  return { texts: texts ?? [], pictures, jpegs };
}

/** A square of soft colours, 4 bytes a pixel. */
function draw(side, phase) {
  const pixels = new Uint8ClampedArray(4 * side * side);
  for (let y = 0, at = 0; y < side; y++) {
    for (let x = 0; x < side; x++, at += 4) {
      pixels[at] = 128 + 120 * Math.sin(x / 17 + phase);
      pixels[at + 1] = 128 + 120 * Math.sin(y / 23 + 2 * phase);
      pixels[at + 2] = 128 + 120 * Math.sin((x + y) / 31);
      pixels[at + 3] = 255;
    }
  }
  return pixels;
}

/** `(pixel / 255 - mean) / std`, a plane a channel, written into `planes`. */
export function normalise(pixels, { mean, std }, planes) {
  const size = planes.length / 3;
  for (let channel = 0; channel < 3; channel++) {
    const factor = 1 / (255 * std[channel]);
    const shift = -mean[channel] / std[channel];
    const plane = planes.subarray(channel * size, (channel + 1) * size);
    for (let i = 0; i < size; i++) plane[i] = pixels[4 * i + channel] * factor + shift;
  }
}

/** Probabilities from logits. */
export function softmax(logits, temperature) {
  const largest = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp((logit - largest) / temperature));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

/** A file decoded and scaled by the browser: what a page does that has no decoder of its own. */
export class Decoder {
  #context;

  constructor(side) {
    this.side = side;
    this.#context = new OffscreenCanvas(side, side).getContext('2d', { willReadFrequently: true });
  }

  async pixels(jpeg) {
    const bitmap = await createImageBitmap(new Blob([jpeg], { type: 'image/jpeg' }));
    this.#context.drawImage(bitmap, 0, 0, this.side, this.side);
    bitmap.close();
    return this.#context.getImageData(0, 0, this.side, this.side).data;
  }
}
