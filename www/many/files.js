// What is dropped or chosen: tables and photos, out of folders too.

import { isTable } from './tables.js';

const PICTURE = /\.(jpe?g|jfif|png|webp|gif|bmp|avif|heic|heif)$/i;

/** All files of a drop, folders opened; must be called while the event is handled. */
export async function filesOfDrop(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.() ?? null).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  const files = await Promise.all(entries.map(filesOfEntry));
  return files.flat();
}

async function filesOfEntry(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [file];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    // It gives a hundred or so at a time, and none at the end.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    found.push(...some);
  }
  return (await Promise.all(found.map(filesOfEntry))).flat();
}

/** Sorts files into `{ tables, photos, others }`. Hidden files of systems are none. */
export function sortFiles(files) {
  const seen = files.filter((file) => !file.name.startsWith('.'));
  const photos = seen.filter((file) => file.type.startsWith('image/') || PICTURE.test(file.name));
  const tables = seen.filter((file) => !photos.includes(file) && isTable(file.name));
  return { tables, photos, others: seen.filter((file) => !photos.includes(file) && !tables.includes(file)) };
}

const base = (path) => path.split(/[/\\]/).at(-1).toLowerCase();
const stem = (path) => base(path).replace(/\.\w{2,5}$/, '');

/** Finds the photo that a table names: by its file name, else by the name without its ending, whatever the case. */
export function photoFinder(photos) {
  const names = new Map(photos.map((photo) => [base(photo.name), photo]));
  const stems = new Map(photos.map((photo) => [stem(photo.name), photo]));
  return (name) => names.get(base(name.trim())) ?? stems.get(stem(name.trim())) ?? null;
}
