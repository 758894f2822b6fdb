// Where the posts come from: a table, photos, or both, chosen, dropped, or made up to try the page with. They become records.

import { onDrop } from '../drop.js';
import { many } from '../sentences.js';
import { hideTrouble, showTrouble } from '../trouble.js';
import { guessColumns } from './columns.js';
import { filesOfDrop, photoFinder, sortFiles, without } from './files.js';
import { recordsOf, recordsOfPhotos } from './records.js';
import { samplePosts } from './samples.js';
import { readTable } from './tables.js';

const SELECTS = ['text', 'image', 'date'];
const NOTHING = { name: '', table: null, photos: [], left: [] };
const TOLD = 3; // files that were left out, by name; of more only the number is told

const $ = (id) => document.getElementById(id);

/**
 * Wires what is dropped and chosen. `changed(records)` is called when the posts are others. Returns
 * - `name()` of the table, empty without one;
 * - `sample()`, which takes the made-up posts and resolves to whether they are there;
 * - `clear()`.
 */
export function createSource(changed) {
  let source = NOTHING;
  let turn = Promise.resolve();

  /** One after the other: what is dropped while a large table is opened is added to it. Resolves to whether it worked. */
  function become(work) {
    turn = turn.then(async () => {
      hideTrouble();
      try {
        const next = await work();
        if (next === source) return true;
        const other = next.table !== source.table;
        source = next;
        if (other && source.table) fillSelects(source.table);
        setUp();
        return true;
      } catch (error) {
        showTrouble(error);
        return false;
      }
    });
    return turn;
  }

  /** What is there with `files` added; the same where there is nothing new among them. */
  async function withFiles(files) {
    const { tables, photos, others } = sortFiles(files);
    const table = await firstTable(tables, photos.length > 0);
    const fresh = without(source.photos, photos);
    if (!table && !photos.length && others.length) {
      throw Object.assign(new Error(`${others[0].name} is neither a table nor a photo.`), { code: 'table' });
    }
    if (!table && !fresh.length) return source;
    const left = [...tables.filter((file) => file !== table?.file), ...others].map(({ name }) => name);
    return { ...source, ...(table && { name: table.file.name, table: table.table }), photos: [...source.photos, ...fresh], left };
  }

  /** Makes records of what is there, and says what they are. */
  function setUp() {
    const { table, photos, name, left } = source;
    const records = table ? recordsOf(table, chosenColumns(), photoFinder(photos)) : recordsOfPhotos(photos);
    const said = [table && `${name}: ${many(table.rows.length, 'row')}`, photos.length && many(photos.length, 'photo')];
    $('found').textContent = `${said.filter(Boolean).join(', and ')}.`;
    $('left').textContent = left.length ? leftOut(left) : '';
    $('left').hidden = !left.length;
    $('fields').hidden = !table;
    showMatches(records, table);
    $('setup').hidden = !table && !photos.length;
    $('drop').classList.toggle('small', Boolean(table || photos.length));
    changed(records);
  }

  for (const id of ['files', 'folder']) {
    $(id).addEventListener('change', async (event) => {
      const files = [...event.target.files];
      await become(() => withFiles(files));
      event.target.value = ''; // so that the same files can be chosen again
    });
  }
  for (const name of SELECTS) $(`column-${name}`).addEventListener('change', setUp);
  onDrop($('post'), async (transfer) => {
    const coming = filesOfDrop(transfer);
    coming.catch(() => {}); // a folder that may not be opened: told when it is its turn
    await become(async () => withFiles(await coming));
  });

  return {
    name: () => source.name,
    sample: () => become(async () => ({ ...NOTHING, name: 'festival.csv', ...(await samplePosts()) })),
    clear: () => become(() => ({ ...NOTHING })),
  };
}

/**
 * The first of `files` that is a table, as `{ file, table }`; those that can be nothing else come first. Among photos a text
 * without columns is about them, such as their licence.
 */
async function firstTable(files, amongPhotos) {
  const isText = ({ name }) => /\.txt$/i.test(name);
  for (const file of [...files.filter((one) => !isText(one)), ...files.filter(isText)]) {
    const bytes = await file.arrayBuffer();
    if (!amongPhotos || !isText(file)) return { file, table: readTable(bytes, file.name) };
    try {
      const table = readTable(bytes, file.name);
      if (table.columns.length > 1) return { file, table };
    } catch {
      // An empty one, say: it is left out, and that is told.
    }
  }
  return null;
}

function fillSelects(table) {
  const guess = guessColumns(table);
  for (const name of SELECTS) {
    const options = ['none', ...table.columns].map((column, i) => new Option(i ? column : '—', i - 1));
    $(`column-${name}`).replaceChildren(...options);
    $(`column-${name}`).value = guess[name];
  }
}

const chosenColumns = () => Object.fromEntries(SELECTS.map((name) => [name, Number($(`column-${name}`).value)]));

function leftOut(names) {
  const more = names.length > TOLD ? ` and ${many(names.length - TOLD, 'more file')}` : '';
  return `One table is read at a time, and photos. Left out: ${names.slice(0, TOLD).join(', ')}${more}.`;
}

function showMatches(records, table) {
  const named = records.filter((record) => record.name).length;
  const missing = records.filter((record) => record.missing).length;
  $('matched').hidden = !table || named === 0;
  const all = named === 1 ? 'The photo that it names is here.' : `All ${named.toLocaleString('en')} photos that it names are here.`;
  const some = missing === named ? 'None of the photos that it names is here' : `${many(missing, 'photo')} of ${named.toLocaleString('en')} not here`;
  $('matched').textContent = missing ? `${some}: drop them too, or these posts are read without.` : all;
}
