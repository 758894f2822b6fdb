// Tables as people have them: the page of many posts reads each, and what it writes it reads again.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { guessColumns } from '../../../www/many/columns.js';
import { parseRows, separatorOf, writeRows } from '../../../www/many/csv.js';
import { dayComesFirst, dayOf, groupOf } from '../../../www/many/dates.js';
import { flat } from '../../../www/many/download.js';
import { photoFinder, sortFiles, without } from '../../../www/many/files.js';
import { recordsOf, select } from '../../../www/many/records.js';
import { readTable } from '../../../www/many/tables.js';

const table = (text, name = 'a.csv') => readTable(typeof text === 'string' ? new TextEncoder().encode(text).buffer : text, name);

describe('cells', () => {
  const cases = {
    'plain ones': ['a,b\n1,2', [['a', 'b'], ['1', '2']]],
    'Windows line ends, and the last line ended': ['a,b\r\n1,2\r\n', [['a', 'b'], ['1', '2']]],
    'old line ends of the Mac': ['a,b\r1,2', [['a', 'b'], ['1', '2']]],
    'separators and line ends in quotes': ['a,b\n"1,5","two\r\nlines"\n', [['a', 'b'], ['1,5', 'two\r\nlines']]],
    'doubled quotes': ['a,b\n"say ""hi""",""""', [['a', 'b'], ['say "hi"', '"']]],
    'empty ones, at the end too': ['a,,c\n,,\n', [['a', '', 'c'], ['', '', '']]],
    'empty in quotes': ['a,b\n"",""', [['a', 'b'], ['', '']]],
    'quotes inside': ['a,b\nx "y" z,2', [['a', 'b'], ['x "y" z', '2']]],
    'quotes that only begin a text': ['a,b\n"Great" they said,2\n3,4', [['a', 'b'], ['"Great" they said', '2'], ['3', '4']]],
    'a quote that never closes': ['a,b\n"oh no,2\n3,4', [['a', 'b'], ['"oh no', '2'], ['3', '4']]],
    'a byte order mark': ['\ufeffa,b\n1,2', [['a', 'b'], ['1', '2']]],
    'a byte order mark before quotes': ['\ufeff"a","b"\n1,2', [['a', 'b'], ['1', '2']]],
    'lines with nothing on them': ['a,b\n\n1,2\n  \n', [['a', 'b'], ['1', '2']]],
    'nothing': ['', []],
  };
  for (const [name, [text, rows]] of Object.entries(cases)) {
    it(name, () => assert.deepEqual(parseRows(text, ','), rows));
  }

  it('are told apart by commas, semicolons, tabs or bars', () => {
    assert.equal(separatorOf('id,text\n1,"a; b; c"\n2,d'), ',');
    assert.equal(separatorOf('id;text;x\n1;"a, b, c";0,5\n2;d, e;1,5'), ';');
    assert.equal(separatorOf('id\ttext\n1\ta, b, c\n2\td; e'), '\t');
    assert.equal(separatorOf('id|text\n1|a\n2|b'), '|');
    assert.equal(separatorOf('One day, it rained.\nSun!\nA, b, c, and so on.\nNothing'), null, 'these are lines');
  });

  it('come back as they were written', () => {
    const rows = [['a', 'b'], ['x,y', 'say "hi"\nthere'], ['ends; here', ''], ['tab\there', 'é 🎉']];
    assert.deepEqual(parseRows(writeRows(rows), ','), rows);
  });

  it('run nothing in a spreadsheet', () => {
    const [[formula, number]] = parseRows(writeRows([['=HYPERLINK("x")', -0.5]]), ',');
    assert.deepEqual([formula, number], ['\'=HYPERLINK("x")', '-0.5']);
    for (const first of ['+', '-', '@', '\t', '\r', '\n', '＝', '＠']) assert.ok(writeRows([[`${first}1`]]).includes(`'${first}1`), JSON.stringify(first));
  });

  it('are read in a time that grows with the file and no faster', () => {
    const rows = Array.from({ length: 50_000 }, (_, i) => [`${i}`, `a "quoted, ${i}" text\nof two lines`]);
    assert.equal(parseRows(writeRows(rows), ',').length, 50_000);
    assert.equal(parseRows('"'.repeat(100_001), ',').length, 1);
  });
});

describe('tables', () => {
  it('have names, or get them', () => {
    assert.deepEqual(table('text,photo\nhello,a.jpg'), { columns: ['text', 'photo'], rows: [['hello', 'a.jpg']] });
    assert.deepEqual(table('Hello there.\nGood night.').columns, ['column 1']);
    assert.deepEqual(table('Hello there.\nGood night.').rows.length, 2);
    assert.deepEqual(table('text,text\na,b').columns, ['text', 'text 2']);
    assert.deepEqual(table('stars,what they wrote\n4,fine').columns, ['stars', 'what they wrote']);
  });

  it('are JSON, one object a line or all in a list', () => {
    const rows = { columns: ['text', 'likes'], rows: [['a\nb', '3'], ['c', '']] };
    assert.deepEqual(table('{"text":"a\\nb","likes":3}\n\n{"text":"c"}\n', 'a.jsonl'), rows);
    assert.deepEqual(table('[{"text":"a\\nb","likes":3},{"text":"c"}]', 'a.json'), rows);
    assert.deepEqual(table('"just a text"', 'a.jsonl').rows, [['just a text']]);
    assert.throws(() => table('{"text":"a"}\n{"text":', 'a.jsonl'), /Line 2 of a\.jsonl is not JSON/);
    const exported = JSON.stringify({ page: 1, tags: ['x'], posts: [{ text: 'a' }, { text: 'b' }] }, null, 2);
    assert.deepEqual(table(exported, 'a.json'), { columns: ['text'], rows: [['a'], ['b']] });
    assert.deepEqual(table('{\n "text": "a"\n}', 'a.json').rows, [['a']]);
    assert.deepEqual(table('{"text":"a"}\n{"text":"b"}', 'a.json').rows, [['a'], ['b']]);
  });

  it('are in any encoding that spreadsheets save', () => {
    const utf16 = new Uint8Array([0xff, 0xfe, ...[...'text\té\nça\tva'].flatMap((c) => [c.charCodeAt(0) & 255, c.charCodeAt(0) >> 8])]);
    assert.deepEqual(table(utf16.buffer, 'a.txt').rows, [['ça', 'va']]);
    const old = Uint8Array.from([...'text,id\ncaf\xe9,1'], (c) => c.charCodeAt(0));
    assert.deepEqual(table(old.buffer).rows, [['café', '1']]);
  });

  it('without a row are refused', () => {
    assert.throws(() => table(''), /a\.csv is empty/);
    assert.throws(() => table('text,image\n'), /no rows/);
  });
});

describe('columns', () => {
  const guess = (text, name) => guessColumns(table(text, name));
  it('are found by name, else by what is in them', () => {
    assert.deepEqual(guess('id,created_at,text,image\n1,2026-05-01,a day,a.jpg'), { text: 2, image: 3, date: 1 });
    assert.deepEqual(guess('a,b,c\nx.png,01.05.2026,What a fine day\ny.png,02.05.2026,Rain again'), { text: 2, image: 0, date: 1 });
    assert.deepEqual(guess('stars,what they wrote\n4,it was fine\n5,it was very fine'), { text: 1, image: -1, date: -1 });
    assert.deepEqual(guess('photo\na.jpg\nb.jpg'), { text: -1, image: 0, date: -1 });
    assert.deepEqual(guess('Sunny here.\nRain there, and more of it.'), { text: 0, image: -1, date: -1 });
  });

  it('of days are read as they are written', () => {
    assert.equal(dayOf('2026-05-31T23:59:00-11:00'), '2026-05-31');
    assert.equal(dayOf('31.5.2026 08:00'), '2026-05-31');
    assert.equal(dayOf('3/4/2026'), '2026-03-04');
    assert.equal(dayOf('3/4/2026', dayComesFirst(['3/4/2026', '31/5/2026'])), '2026-04-03');
    assert.equal(dayOf('1780000000'), '2026-05-28');
    for (const same of ['Wed Aug 27 23:08:45 +0000 2008', '27 August 2008', 'Aug 27, 2008']) assert.equal(dayOf(same), '2008-08-27', same);
    for (const none of ['', 'May', '42', '2026-13-01', '2026-02-30', 'See you in 2026', 'the 5.5.5']) assert.equal(dayOf(none), null, none);
    assert.equal(groupOf('2026-05-31', 'week'), '2026-05-25');
    assert.equal(groupOf('2026-05-31', 'month'), '2026-05-01');
  });
});

describe('records', () => {
  const file = (name, type = 'image/jpeg') => ({ name, type });

  it('find their photos whatever the case, the folder or the ending', () => {
    const find = photoFinder([file('Beach.JPG'), file('42.png')]);
    assert.equal(find('photos/beach.jpg').name, 'Beach.JPG');
    assert.equal(find('42').name, '42.png');
    assert.equal(find('43'), null);
    const { columns, rows } = table('text,photo\nhello,beach.jpg\n,42\nlost,43.jpg\n,\n');
    const records = recordsOf({ columns, rows }, { text: 0, image: 1, date: -1 }, find);
    assert.deepEqual(records.map(({ number, photo, missing }) => [number, photo?.name, missing]), [
      [1, 'Beach.JPG', false], [2, '42.png', false], [3, undefined, true],
    ]);
  });

  it('find the photo of their folder where several have one name', () => {
    const inFolder = (webkitRelativePath) => ({ name: webkitRelativePath.split('/').at(-1), webkitRelativePath });
    const find = photoFinder(['all/may/1.jpg', 'all/june/1.jpg', 'all/june/2.jpg'].map(inFolder));
    for (const [name, path] of [['june/1.jpg', 'all/june/1.jpg'], ['may/1', 'all/may/1.jpg'], ['.\\JUNE\\1.JPG', 'all/june/1.jpg'], ['elsewhere/2.jpg', 'all/june/2.jpg']]) {
      assert.equal(find(name).webkitRelativePath, path, name);
    }
  });

  it('take no photo twice, and each of those that share a name', () => {
    const photo = (name, size, lastModified) => ({ name, size, lastModified });
    const [one, again, other] = [photo('1.jpg', 5, 1), photo('1.jpg', 5, 1), photo('1.jpg', 5, 2)];
    assert.deepEqual(without([one], [again, other, other]), [other]);
  });

  it('are saved with what they were corrected to', () => {
    const record = { number: 1, text: 'sick', name: '', state: 'read', label: 'x', correction: 'y', scores: {} };
    assert.equal(flat(record, []).correction, 'y');
    assert.equal(flat({ ...record, correction: undefined }, []).correction, null);
  });

  it('are told from tables and the rest', () => {
    const { tables, photos, others } = sortFiles([file('a.csv', 'text/csv'), file('b.HEIC', ''), file('.DS_Store', ''), file('c.pdf', '')]);
    assert.deepEqual([tables, photos, others].map((list) => list.map(({ name }) => name)), [['a.csv'], ['b.HEIC'], ['c.pdf']]);
  });

  it('are filtered and sorted, those without a value last', () => {
    const records = [
      { number: 1, text: 'B', name: '', state: 'read', label: 'x', valence: 0.5, sure: true, contradicts: true, day: null },
      { number: 2, text: 'a', name: '', state: 'waiting', day: '2026-01-02' },
      { number: 3, text: 'c', name: 'Dog.jpg', state: 'read', label: 'y', valence: -0.5, sure: false, contradicts: null, day: '2026-01-01' },
    ];
    const numbers = (how) => select(records, how).map(({ number }) => number);
    assert.deepEqual(numbers({ sort: 'valence' }), [3, 1, 2]);
    assert.deepEqual(numbers({ sort: 'valence', down: true }), [1, 3, 2]);
    assert.deepEqual(numbers({ sort: 'text' }), [2, 1, 3]);
    assert.deepEqual(numbers({ sort: 'day', down: true }), [2, 3, 1]);
    const texts = (down) => select(['Zoo', 'été', '10 eggs', 'egg', '', '9 eggs'].map((text, i) => ({ number: i, text, name: '' })), { sort: 'text', down });
    assert.deepEqual(texts(false).map(({ text }) => text), ['9 eggs', '10 eggs', 'egg', 'été', 'Zoo', ''], 'as people sort');
    assert.deepEqual(texts(true).map(({ text }) => text), ['Zoo', 'été', 'egg', '10 eggs', '9 eggs', '']);
    assert.deepEqual([numbers({ label: 'x' }), numbers({ kind: 'unsure' }), numbers({ kind: 'contradicts' }), numbers({ words: 'DOG' })], [[1], [3], [1], [3]]);
  });
});
