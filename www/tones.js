// Colours: a label's tone comes from its polarity (style.css mixes it), the strength of a mark from its share.

/** Gives `element` the tone of the label called `name`; `labels` are the bundle's, with their polarities. */
export function tint(element, name, labels) {
  element.dataset.label = name;
  element.style.setProperty('--polarity', labels.find((label) => label.name === name)?.polarity ?? 0);
}

/** The tone of a label as red, green and blue, 0 to 255, in the colours that the page has now. */
export function toneOf(name, labels) {
  const probe = document.createElement('span');
  tint(probe, name, labels);
  probe.style.color = 'var(--tone)';
  document.body.append(probe);
  const context = new OffscreenCanvas(1, 1).getContext('2d');
  context.fillStyle = getComputedStyle(probe).color; // in whatever notation; a pixel has only one
  probe.remove();
  context.fillRect(0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data.subarray(0, 3)];
}

/** The largest magnitude of `shares`; 1 where there is none. */
export function largest(shares) {
  return Math.max(...shares.map(Math.abs), 0) || 1;
}

/** The sum of `shares`. */
export function total(shares) {
  return shares.reduce((sum, share) => sum + share, 0);
}
