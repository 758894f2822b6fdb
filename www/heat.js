// The picture regions that weighed, laid over the photo: the label's colour where a cell spoke for it, a veil where it
// spoke against it. The browser's own smooth scaling turns the coarse grid into a soft map.

import { largest, toneOf } from './tones.js';

// Alpha of the region with the largest share; the photo must stay visible. A picture's share is spread over its regions, so
// that each has little beside a word: the map shows where, and the list of words how much.
const STRONGEST = 0.72;
const VEIL = [16, 14, 24];

/** Draws the regions that `analysis` explains its label with onto `canvas`, laid over `image`. */
export function drawHeat(canvas, image, { label, labels, explanation }) {
  const { columns, rows, weights } = explanation.regions;
  const grid = new ImageData(columns, rows);
  const tone = toneOf(label, labels);
  const most = largest(weights);
  weights.forEach((weight, i) => {
    const colour = weight > 0 ? tone : VEIL;
    const alpha = (Math.abs(weight) / most) * STRONGEST * (weight > 0 ? 1 : 0.6);
    grid.data.set([...colour, Math.round(255 * alpha)], 4 * i);
  });
  const small = new OffscreenCanvas(columns, rows);
  small.getContext('2d').putImageData(grid, 0, 0);

  place(canvas, image);
  const scale = Math.min(2, devicePixelRatio || 1);
  canvas.width = Math.max(1, Math.round(image.clientWidth * scale));
  canvas.height = Math.max(1, Math.round(image.clientHeight * scale));
  const context = canvas.getContext('2d');
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = 'high';
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
}

/** Puts the canvas exactly over the image as it is laid out now. */
export function place(canvas, image) {
  canvas.style.left = `${image.offsetLeft}px`;
  canvas.style.top = `${image.offsetTop}px`;
  canvas.style.width = `${image.clientWidth}px`;
  canvas.style.height = `${image.clientHeight}px`;
}
