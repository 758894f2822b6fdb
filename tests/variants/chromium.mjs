// What Chromium shows of every file in FOLDER/files: as `createImageBitmap` reads it and as an `<img>` draws it, over white.
//
//     node tests/variants/chromium.mjs FOLDER
//
// Writes FOLDER/chromium/NAME (width and height as u32, then RGB) and FOLDER/chromium.tsv: name, the outcome of each of the
// two ways (`ok` or the error), and the mean difference between them.

import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';

import { launch } from '../browser/lib/launch.js';

/** Files that the page reads before it reports. */
const BATCH = 50;

const folder = process.argv[2];
if (!folder) throw new Error('give the folder that generate.py wrote');
const names = (await readdir(join(folder, 'files'))).sort();
await mkdir(join(folder, 'chromium'), { recursive: true });

const server = createServer(async (request, response) => {
  const name = decodeURIComponent(request.url.slice(1));
  if (request.method === 'POST') {
    const parts = [];
    for await (const part of request) parts.push(part);
    await writeFile(join(folder, 'chromium', name), Buffer.concat(parts));
    response.end();
  } else if (names.includes(name)) {
    response.end(await readFile(join(folder, 'files', name)));
  } else {
    response.setHeader('content-type', 'text/html');
    response.end('<!doctype html><title>variants</title>');
  }
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

const browser = await launch({
  program: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--force-color-profile=srgb'],
});
try {
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  const lines = ['name\tbitmap\timg\tdifference'];
  for (let start = 0; start < names.length; start += BATCH) {
    for (const { name, bitmap, img, difference } of await page.evaluate(show, names.slice(start, start + BATCH))) {
      lines.push([name, bitmap, img, difference].join('\t'));
    }
    process.stdout.write(`\r${Math.min(start + BATCH, names.length)} of ${names.length}`);
  }
  process.stdout.write('\n');
  await writeFile(join(folder, 'chromium.tsv'), `${lines.join('\n')}\n`);
} finally {
  await browser.close();
  server.close();
}

/** Runs in the page. */
async function show(names) {
  const pixels = (source, width, height) => {
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext('2d', { willReadFrequently: true });
    context.fillStyle = 'white';
    context.fillRect(0, 0, width, height);
    context.drawImage(source, 0, 0);
    return { width, height, data: context.getImageData(0, 0, width, height).data };
  };
  const asBitmap = async (blob) => {
    const bitmap = await createImageBitmap(blob);
    return pixels(bitmap, bitmap.width, bitmap.height);
  };
  const asImg = async (blob) => {
    const img = new Image();
    img.src = URL.createObjectURL(blob);
    try {
      // A picture with an error further down is shown as far as it goes, though `decode()` refuses it.
      await new Promise((resolve, reject) => {
        img.onload = resolve;
        img.onerror = () => reject(new Error('error event'));
      });
      return pixels(img, img.naturalWidth, img.naturalHeight);
    } finally {
      URL.revokeObjectURL(img.src);
    }
  };
  const attempt = (way, blob) => way(blob).then(
    (shown) => ({ outcome: 'ok', shown }),
    (error) => ({ outcome: `${error.name}: ${error.message}`.replaceAll(/\s+/g, ' ') }),
  );
  const rows = [];
  for (const name of names) {
    const blob = await (await fetch(encodeURIComponent(name))).blob();
    const bitmap = await attempt(asBitmap, blob);
    const img = await attempt(asImg, blob);
    let difference = '';
    if (bitmap.shown && img.shown) {
      const [a, b] = [bitmap.shown, img.shown];
      let sum = 0;
      for (let i = 0; i < a.data.length; i++) sum += Math.abs(a.data[i] - b.data[i]);
      difference = a.data.length === b.data.length ? (sum / (0.75 * a.data.length)).toFixed(3) : 'sides';
    }
    const shown = img.shown ?? bitmap.shown;
    if (shown) {
      const body = new Uint8Array(8 + 3 * shown.width * shown.height);
      new DataView(body.buffer).setUint32(0, shown.width, true);
      new DataView(body.buffer).setUint32(4, shown.height, true);
      for (let i = 0, to = 8; i < shown.data.length; i += 4, to += 3) body.set(shown.data.subarray(i, i + 3), to);
      await fetch(encodeURIComponent(name), { method: 'POST', body });
    }
    rows.push({ name, bitmap: bitmap.outcome, img: img.outcome, difference });
  }
  return rows;
}
