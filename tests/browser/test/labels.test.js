// The page assumes nothing about the labels: here it shows a model of five, whose answers are written down below.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';

import { confidenceText, contradictionText, verdict } from '../../../www/sentences.js';
import { largest, total } from '../../../www/tones.js';
import { click, collectErrors, fill, newPage, seen, start } from '../lib/browser.js';
import { ROOT } from '../lib/demo.js';

const LABELS = [
  { name: 'very negative', polarity: -1 },
  { name: 'negative', polarity: -0.5 },
  { name: 'neutral', polarity: 0 },
  { name: 'positive', polarity: 0.5 },
  { name: 'very positive', polarity: 1 },
];

/** A reading with these probabilities of the five labels. */
function read(...probabilities) {
  const scores = Object.fromEntries(LABELS.map(({ name }, i) => [name, probabilities[i]]));
  const label = LABELS[probabilities.indexOf(Math.max(...probabilities))].name;
  return { label, scores, valence: LABELS.reduce((sum, { name, polarity }) => sum + polarity * scores[name], 0) };
}

/** Of the text "Oh great" over any picture. The four regions weigh 12 together. */
const ANALYSIS = {
  ...read(0.7, 0.1, 0.1, 0.06, 0.04),
  text: read(0, 0.1, 0.1, 0.5, 0.3),
  image: read(0.9, 0.05, 0.05, 0, 0),
  confidence: 0.7,
  sure: true,
  contradiction: 0.8,
  contradicts: true,
  explanation: {
    logit: 4.5,
    base: 0,
    words: [
      { text: 'Oh', start: 0, end: 2, weight: 1.5 },
      { text: 'great', start: 3, end: 8, weight: -0.75 },
    ],
    regions: { columns: 2, rows: 2, weights: [3, 3, 3, 3] },
  },
  truncated: false,
  timings: { tokenize: 1, text: 1, decode: 1, image: 1, fusion: 1, total: 5 },
};

const PACKAGE = `export const createAnalyzer = async () => ({
  labels: ${JSON.stringify(LABELS)},
  analyze: async () => (${JSON.stringify(ANALYSIS)}),
});`;

describe('what the page says', () => {
  const said = (analysis) => verdict(analysis).map(({ text }) => text).join('');

  it('uses the names of the labels as they are', () => {
    const halves = 'he words lean positive, the picture is very negative.';
    assert.equal(said(ANALYSIS), `Very negative as a whole. Words and picture contradict each other: t${halves}`);
    assert.equal(said({ ...ANALYSIS, contradicts: false }), `Very negative as a whole. T${halves}`);
    const faint = 'Words and picture may contradict each other, but neither is clear.';
    assert.equal(said({ ...ANALYSIS, text: ANALYSIS.image }), `Very negative as a whole. ${faint}`);
    const agreeing = { ...ANALYSIS, contradicts: false };
    assert.equal(said({ ...ANALYSIS, image: null, contradiction: null, contradicts: null }), 'The words alone feel very negative.');
    assert.equal(said({ ...agreeing, text: ANALYSIS.image }), 'Very negative as a whole. Words and picture agree.');
    assert.equal(said({ ...agreeing, image: ANALYSIS.text }), 'Very negative as a whole. Neither says so alone.');
  });

  it('says so where it is not sure', () => {
    const unsure = { ...ANALYSIS, sure: false, contradicts: false };
    assert.equal(said({ ...unsure, text: ANALYSIS.image }), 'I am not sure. As a whole it leans very negative. Words and picture agree.');
    assert.equal(said({ ...unsure, image: null }), 'I am not sure. The words alone lean very negative.');
    assert.equal(said({ ...unsure, text: null }), 'I am not sure. The picture alone leans very negative.');
    assert.equal(confidenceText(0.7, true), 'Of readings as confident as this one, about 70 % are right.');
    assert.match(confidenceText(0.4, false), /about 40 % are right\. That is too few to rely on\.$/);
    assert.match(contradictionText(0.8, false), /^80 % chance that words and picture point opposite ways\.$/);
    assert.match(contradictionText(0.2, true), /^20 % chance .* few posts whose words and picture agree come that high\.$/);
  });

  it('scales by the largest share', () => {
    assert.equal(largest([1.5, -3]), 3);
    assert.equal(largest([0]), 1, 'nothing to divide by');
    assert.equal(total([3, 3, -1]), 5);
  });
});

describe('the page with five labels', () => {
  let stage;
  before(async () => {
    stage = await start();
  });
  after(async () => {
    await stage?.stop();
  });

  it('shows each in its place and tone, and says how much weighed', async () => {
    const context = await stage.newContext();
    const page = await newPage(context, { width: 360, height: 740, media: { 'prefers-color-scheme': 'light' } });
    const errors = collectErrors(page);
    stage.network.answer('/pkg/dist/index.js', { type: 'text/javascript', body: PACKAGE });
    await page.goto(stage.url);
    await seen(page, '#examples button');
    await click(page, '#examples button');
    await page.waitForSelector('#heat[data-shown=true]');
    await fill(page, '#text', 'Oh great');
    await page.waitForSelector('#marks mark');
    const shown = await page.evaluate(() => {
      const all = (selector, of) => [...document.querySelectorAll(selector)].map(of);
      const heat = document.getElementById('heat');
      const pixel = heat.getContext('2d').getImageData(0, 0, 1, 1).data;
      const weight = (node) => Number(node.style.getPropertyValue('--weight'));
      return {
        heads: all('#scores thead th', (head) => head.textContent),
        rows: all('#scores tbody tr', (row) => [...row.querySelectorAll('td')].map((cell) => cell.dataset.label)),
        bars: all('#scores tr[data-reading="the post"] .bar span', (bar) => parseFloat(bar.style.width)),
        tones: all('#scores tr[data-reading="the post"] .bar span', (bar) => getComputedStyle(bar).backgroundColor),
        marks: all('#marks mark', weight),
        list: all('#weight-list li', weight),
        heat: [...pixel],
        excess: document.documentElement.scrollWidth - window.innerWidth,
      };
    });
    const names = LABELS.map(({ name }) => name);
    assert.deepEqual(shown.heads, names);
    assert.deepEqual(shown.rows, [names, names, names]);
    assert.deepEqual(shown.bars.map(Math.round), [70, 10, 10, 6, 4]);
    assert.equal(new Set(shown.tones).size, 5, `each polarity has a tone of its own: ${shown.tones}`);
    assert.deepEqual(shown.marks, [1, 0.5], 'marks on the scale of the text');
    assert.deepEqual(shown.list, [1, 0.125, 0.0625], 'the picture and both words on one scale');
    // A region of the largest share, in the tone of the label, with the strongest colour that there is.
    const [red, green, blue, alpha] = shown.heat;
    assert.ok(Math.abs(alpha - 0.72 * 255) <= 2, `alpha ${alpha}`);
    const tone = [0x6a, 0x62, 0xd8]; // --negative-fill of style.css
    for (const [i, channel] of [red, green, blue].entries()) assert.ok(Math.abs(channel - tone[i]) <= 2, shown.heat.join());
    assert.ok(shown.excess <= 0, `${shown.excess} px too wide for a phone`);
    assert.deepEqual(errors, []);
    await context.close();
  });
});

const TRAINED = process.env.FIVE_LABELS_BUNDLE;

describe('a trained model of five labels', { skip: !TRAINED && 'needs FIVE_LABELS_BUNDLE; `cargo verify` writes one' }, () => {
  let stage;
  before(async () => {
    stage = await start();
  });
  after(async () => {
    await stage?.stop();
  });

  it('is read by the package and shown by the page', async () => {
    const bytes = readFileSync(TRAINED);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const shipped = '/pkg/mixed-feelings-small.safetensors';
    stage.network.answer(shipped, { type: 'application/octet-stream', body: bytes });
    // The worker is told the digits by the page's script, which has those of the shipped bundle.
    const [digits] = readFileSync(`${ROOT}${shipped.slice(1)}.sha256`, 'utf8').split(' ');
    const script = readFileSync(`${ROOT}pkg/dist/index.js`, 'utf8');
    assert.ok(script.includes(digits));
    stage.network.answer('/pkg/dist/index.js', { type: 'text/javascript', body: script.replaceAll(digits, sha256) });
    const page = await newPage(await stage.newContext());
    const errors = collectErrors(page);
    await page.goto(stage.url);
    await page.waitForSelector('#status[data-state=ready], #status[data-state=offline]');
    await fill(page, '#text', 'what a day');
    await seen(page, '#scores tbody tr');
    const names = await page.$$eval('#scores thead th', (heads) => heads.map((head) => head.textContent));
    assert.equal(names.length, 5);
    const labels = await page.evaluate(async () => {
      const { createAnalyzer } = await import('/pkg/dist/index.js');
      const analyzer = await createAnalyzer({ cache: false });
      const { scores, label } = await analyzer.analyze({ text: 'what a day' });
      return { labels: analyzer.labels, scores: Object.keys(scores), label };
    });
    assert.deepEqual(labels.labels.map(({ name }) => name), names);
    assert.deepEqual(labels.scores, names);
    assert.ok(names.includes(labels.label));
    assert.ok(labels.labels.some(({ polarity }) => Math.abs(polarity) > 0 && Math.abs(polarity) < 1));
    assert.deepEqual(errors, []);
  });
});
