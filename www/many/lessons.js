// What is corrected in the table teaches the model. Corrections are kept on this device, so that the next visit goes on with them.

import { postOf } from './records.js';

const DATABASE = 'mixed-feelings-lessons';
const STORE = 'lessons';
const KEY = 'all';

/**
 * The lessons of a reader. `settled()` resolves to the analyzer that learns. `state` is `{ lists, profile, report }`: the
 * corrections, a list for each time they were learned, what was learned from all of them, and how well; or `null`. Nothing of
 * it goes anywhere.
 */
export function createLessons(settled) {
  let state = null;
  let known = new Map(); // what was learned: the name of a post -> its label

  function become(next) {
    state = next;
    known = new Map(next?.lists.flat().map((example) => [nameOf(example), example.label]));
  }

  async function learnAll(lists) {
    if (lists.length === 0) return forget();
    const analyzer = await settled();
    const report = await analyzer.learn(examplesOf(lists));
    become({ lists, profile: await analyzer.exportProfile(), report });
    await keep(state);
  }

  async function forget() {
    await (await settled()).forget();
    become(null);
    await keep(null);
  }

  return {
    get state() {
      return state;
    },

    /** Goes on where the last visit ended. */
    async restore() {
      const kept = await stored();
      if (!kept) return;
      try {
        await (await settled()).importProfile(kept.profile);
        become(kept);
      } catch {
        // Another model: what was corrected is as right as before.
        await learnAll(kept.lists).catch(() => {});
      }
    },

    /** Whether a record's correction was learned already. */
    knows: (record) => known.get(nameOf(postOf(record))) === record.correction,

    /** Learns from the corrected `records` too. */
    async learn(records) {
      const list = records.map((record) => ({ ...postOf(record), label: record.correction }));
      await learnAll([...(state?.lists ?? []), list]);
    },

    /** As before the last time. */
    undo: () => learnAll(state.lists.slice(0, -1)),
    forget,
  };
}

/** Of posts that were corrected twice, the last word; at most as many as can be learned from, the newest. */
function examplesOf(lists) {
  const examples = new Map();
  for (const example of lists.flat()) {
    const name = nameOf(example);
    examples.delete(name);
    examples.set(name, example);
  }
  return [...examples.values()].slice(-500);
}

/** What a post is told from others by. */
const nameOf = ({ text = '', image }) => `${text}\n${image ? `${image.name} ${image.size}` : ''}`;

// A page without storage learns too, until it is left.

async function stored() {
  try {
    return (await ask('readonly', (store) => store.get(KEY))) ?? null;
  } catch {
    return null;
  }
}

async function keep(state) {
  try {
    await ask('readwrite', (store) => (state ? store.put(state, KEY) : store.delete(KEY)));
  } catch {
    // What is learned is there all the same.
  }
}

async function ask(mode, call) {
  const database = await result(Object.assign(indexedDB.open(DATABASE, 1), {
    onupgradeneeded: (event) => event.target.result.createObjectStore(STORE),
  }));
  try {
    return await result(call(database.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    database.close();
  }
}

const result = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = request.onblocked = () => reject(request.error);
  });
