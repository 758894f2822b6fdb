// The picture regions that weighed, laid over the photo: the label's colour where a cell spoke for it, a veil where it
// spoke against it. The browser's own smooth scaling turns the coarse grid into a soft map.

const STRONGEST = 0.72; // alpha of a weight of 1; the photo must stay visible

function colourOf(label) {
  const probe = document.createElement('span');
  probe.dataset.label = label;
  probe.style.color = 'var(--tone)';
  document.body.append(probe);
  const [r, g, b] = getComputedStyle(probe).color.match(/[\d.]+/g).map(Number);
  probe.remove();
  return [r, g, b];
}

/** Draws `regions` (`columns`, `rows`, `weights` in -1..=1) for `label` onto `canvas`, laid over `image`. */
export function drawHeat(canvas, image, regions, label) {
  const { columns, rows, weights } = regions;
  const grid = new ImageData(columns, rows);
  const [r, g, b] = colourOf(label);
  weights.forEach((weight, i) => {
    const colour = weight > 0 ? [r, g, b] : [16, 14, 24];
    const alpha = Math.abs(weight) * STRONGEST * (weight > 0 ? 1 : 0.6);
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
