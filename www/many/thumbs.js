// Small copies of photos for the rows that are seen; of those that are not, the last few hundred are kept.

const SIDE = 88; // pixels: 44 on a screen with two to the point
const KEPT = 400;
const AT_ONCE = 3; // photos that are opened at a time: each needs the memory of all its pixels

const copies = new Map(); // photo -> ImageBitmap, or null where it cannot be opened; the longest unused first
const waiting = []; // canvases whose photos are still to be opened
let opening = 0;

/** Draws `photo` into `canvas`, as soon as it is opened; what cannot be opened stays empty. */
export function drawThumb(canvas, photo) {
  canvas.width = canvas.height = SIDE;
  if (copies.has(photo)) return draw(canvas, photo);
  waiting.push({ canvas, photo });
  openSome();
}

function draw(canvas, photo) {
  const copy = copies.get(photo);
  copies.delete(photo);
  copies.set(photo, copy);
  if (copy) canvas.getContext('2d').drawImage(copy, 0, 0);
}

/** The newest first: whoever scrolls far looks at where they are, and rows that are gone again need no photo. */
async function openSome() {
  if (opening === AT_ONCE) return;
  opening += 1;
  await null; // the canvas is put into its row meanwhile
  while (waiting.length) {
    const { canvas, photo } = waiting.pop();
    if (!canvas.isConnected) continue;
    if (!copies.has(photo)) keep(photo, await shrink(photo));
    draw(canvas, photo);
  }
  opening -= 1;
}

function keep(photo, copy) {
  copies.get(photo)?.close(); // it was opened twice at once
  copies.set(photo, copy);
  if (copies.size <= KEPT) return;
  const [oldest, bitmap] = copies.entries().next().value;
  copies.delete(oldest);
  bitmap?.close();
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
