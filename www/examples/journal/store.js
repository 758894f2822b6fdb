// The journal's entries, in this browser's own database and nowhere else. An entry is `{ id, at, text, photo, reading }`: its
// time in milliseconds, a Blob or null, and what the model said of it.

const NAME = 'mixed-feelings-journal';
const STORE = 'entries';

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Opens the store: `{ all(), put(entry), remove(id), clear() }`, all of them promises. */
export async function openStore() {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: 'id' });
  const database = await done(request);
  const work = (mode, job) =>
    new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const result = job(transaction.objectStore(STORE));
      // Only now is it on the disk.
      transaction.oncomplete = () => resolve(result.result);
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
  return {
    async all() {
      const entries = await work('readonly', (store) => store.getAll());
      return entries.sort((a, b) => a.at - b.at);
    },
    put: (entry) => work('readwrite', (store) => store.put(entry)),
    remove: (id) => work('readwrite', (store) => store.delete(id)),
    clear: () => work('readwrite', (store) => store.clear()),
  };
}

/** All of it as one JSON text, photos included. */
export async function exported(entries) {
  const plain = entries.map(async ({ photo, ...entry }) => ({ ...entry, photo: photo && (await dataUrl(photo)) }));
  return JSON.stringify({ journal: 1, entries: await Promise.all(plain) }, null, 1);
}

/** The entries of an exported text. Throws where it is none. */
export async function imported(text) {
  let file;
  try {
    file = JSON.parse(text);
  } catch {
    file = null;
  }
  if (file?.journal !== 1 || !Array.isArray(file.entries)) throw fault();
  return Promise.all(file.entries.map(entryOf));
}

const fault = () => Object.assign(new Error('that file is no journal of this page'), { code: 'journal' });

const LATEST = 8.64e15; // milliseconds: no date lies further away

async function entryOf(entry) {
  const { id, at, text, photo, reading } = entry ?? {};
  const { label, valence, sure = true } = reading ?? {};
  const right = [
    typeof id === 'string',
    Number.isFinite(at) && Math.abs(at) <= LATEST,
    typeof text === 'string',
    typeof label === 'string',
    Number.isFinite(valence) && Math.abs(valence) <= 1,
    typeof sure === 'boolean',
    photo === null || typeof photo === 'string',
  ];
  if (right.includes(false)) throw fault();
  return { id, at, text, reading: { label, valence, sure }, photo: photo && blobOf(photo) };
}

function dataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

/** By hand: the page's policy lets nothing be fetched but its own files. A photo of a kind that its system has no name for is `octet-stream`. */
function blobOf(url) {
  const [, type, body] = /^data:(image\/[\w.+-]+|application\/octet-stream);base64,(.*)$/s.exec(url) ?? [];
  if (!type) throw fault();
  try {
    return new Blob([Uint8Array.from(atob(body), (character) => character.charCodeAt(0))], { type });
  } catch {
    throw fault(); // it is not base64
  }
}
