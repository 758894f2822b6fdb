// Small copies of photos for the rows that are seen; of those that are not, the last few hundred are kept.

const SIDE = 88; // pixels: 44 on a screen with two to the point
const KEPT = 400;

const copies = new Map(); // photo -> Promise<ImageBitmap | null>, the longest unused first

/** Draws `photo` into `canvas`, as soon as it is opened; what cannot be opened stays empty. */
export async function drawThumb(canvas, photo) {
  canvas.width = canvas.height = SIDE;
  canvas.photo = photo;
  const copy = await copyOf(photo);
  if (!copy || canvas.photo !== photo) return; // the row shows another one by now
  canvas.getContext('2d').drawImage(copy, 0, 0);
}

function copyOf(photo) {
  const known = copies.get(photo);
  copies.delete(photo);
  copies.set(photo, known ?? shrink(photo));
  if (copies.size > KEPT) {
    const [oldest, copy] = copies.entries().next().value;
    copies.delete(oldest);
    copy.then((bitmap) => bitmap?.close());
  }
  return copies.get(photo);
}

async function shrink(photo) {
  try {
    const whole = await createImageBitmap(photo);
    const side = Math.min(whole.width, whole.height);
    const [left, top] = [(whole.width - side) / 2, (whole.height - side) / 2];
    const size = { resizeWidth: SIDE, resizeHeight: SIDE, resizeQuality: 'medium' };
    const copy = await createImageBitmap(whole, left, top, side, side, size);
    whole.close();
    return copy;
  } catch {
    return null;
  }
}
