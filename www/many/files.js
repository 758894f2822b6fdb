// What is dropped or chosen: tables and photos, out of folders too.

import { isTable } from './tables.js';

const PICTURE = /\.(jpe?g|jfif|png|webp|gif|bmp|avif|heic|heif)$/i;

/** Where dropped files lie, which they do not say themselves. */
const places = new WeakMap();
const pathOf = (file) => places.get(file) ?? (file.webkitRelativePath || file.name);

/** `files` without those that are among `known` or come twice: a folder may be dropped again, or a photo of it. */
export function without(known, files) {
  const markOf = ({ name, size, lastModified }) => `${size} ${lastModified} ${name}`;
  const seen = new Set(known.map(markOf));
  return files.filter((file) => seen.size < seen.add(markOf(file)).size);
}

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
    places.set(file, entry.fullPath);
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
  const sorted = { tables: [], photos: [], others: [] };
  for (const file of files) {
    if (file.name.startsWith('.')) continue;
    const isPhoto = file.type.startsWith('image/') || PICTURE.test(file.name);
    sorted[isPhoto ? 'photos' : isTable(file.name) ? 'tables' : 'others'].push(file);
  }
  return sorted;
}

const partsOf = (path) => path.trim().toLowerCase().split(/[/\\]/);
const stem = (name) => name.replace(/\.\w{2,5}$/, '');

/**
 * Finds the photo that a table names: by its file name, else by the name without its ending, whatever the case. Where folders
 * have photos of one name, it is the one whose folders are named too.
 */
export function photoFinder(photos) {
  const [byName, byStem] = [new Map(), new Map()];
  const add = (map, key, one) => (map.get(key) ?? map.set(key, []).get(key)).push(one);
  for (const photo of photos) {
    const parts = partsOf(pathOf(photo));
    add(byName, parts.at(-1), { photo, parts });
    add(byStem, stem(parts.at(-1)), { photo, parts });
  }
  return (name) => {
    const sought = partsOf(name);
    const found = byName.get(sought.at(-1)) ?? byStem.get(stem(sought.at(-1))) ?? [];
    const folders = ({ parts }) => {
      let same = 0;
      while (same < sought.length - 1 && sought.at(-2 - same) === parts.at(-2 - same)) same += 1;
      return same;
    };
    return found.reduce((best, one) => (best && folders(best) >= folders(one) ? best : one), null)?.photo ?? null;
  };
}
