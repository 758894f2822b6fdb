// The right-hand side: an analysis becomes a verdict, a thread, a table, two meters, words and stages.

import { areaText } from './areas.js';
import { toned } from './marked.js';
import { confidenceText, contradictionText, percent, verdict, viewText } from './sentences.js';
import { createThread } from './thread.js';
import { showStages, timingText } from './timing.js';
import { largest, tint, total } from './tones.js';

const MOST_WORDS = 8;
const FAINTEST = 0.05; // of the largest share; below it is noise to a reader

const $ = (id) => document.getElementById(id);

/** Returns `{ show(analysis), wait(message), busy(on) }` over the elements of the page. */
export function createReading() {
  const reading = $('reading');
  const moveThread = createThread($('thread'));
  moveThread(null);

  function showVerdict(analysis) {
    const runs = toned(verdict(analysis), analysis.labels);
    const said = runs.map((run) => run.textContent).join('');
    // Announced only when it changes: the reading comes again with every few letters typed.
    if (said !== $('verdict').textContent) $('verdict').replaceChildren(...runs);
  }

  function showScores(analysis) {
    const rows = [
      ['words', analysis.text],
      ['picture', analysis.image],
      ['the post', analysis.text && analysis.image ? analysis : null],
    ];
    const table = $('scores');
    table.style.setProperty('--labels', analysis.labels.length);
    table.tHead.rows[0].replaceChildren(
      document.createElement('td'),
      ...analysis.labels.map(({ name }) => labelHead(name, analysis.labels)),
    );
    table.tBodies[0].replaceChildren(
      ...rows.filter(([, r]) => r).map(([name, r]) => scoreRow(name, r, analysis.labels)),
    );
  }

  /** Fills one of the two meters; without a number it is not shown. */
  function showMeter(name, p, said) {
    $(name).hidden = p == null;
    if (p == null) return;
    const meter = $(`${name}-meter`);
    meter.setAttribute('aria-valuenow', Math.round(p * 100));
    meter.setAttribute('aria-valuetext', said);
    meter.firstElementChild.style.width = `${p * 100}%`;
    $(`${name}-text`).textContent = said;
  }

  function showMeters({ confidence, sure, contradiction, contradicts }) {
    $('confidence').classList.toggle('unsure', sure === false);
    showMeter('confidence', confidence, confidenceText(confidence, sure));
    showMeter('odds', contradiction, contradictionText(contradiction, contradicts));
  }

  function showWords({ explanation, label, labels }) {
    const picture = explanation.regions && { text: 'the picture', weight: total(explanation.regions.weights) };
    const all = [...(explanation.words ?? []), ...(explanation.words && picture ? [picture] : [])];
    const most = largest(all.map(({ weight }) => weight));
    const telling = ({ text, weight }) => Math.abs(weight) >= FAINTEST * most && !/^\p{P}+$/u.test(text);
    const words = all.filter(telling).sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
    $('weight-list').replaceChildren(
      ...words.slice(0, MOST_WORDS).map(({ text, weight }) => {
        const item = document.createElement('li');
        tint(item, label, labels);
        item.classList.toggle('against', weight < 0);
        item.style.setProperty('--weight', Math.abs(weight) / most);
        const word = document.createElement('span');
        word.textContent = text;
        const sign = document.createElement('small');
        sign.textContent = weight < 0 ? 'against' : `+${weight.toFixed(2)}`;
        item.append(word, sign);
        return item;
      }),
    );
  }

  return {
    show(analysis) {
      reading.dataset.state = 'done';
      showVerdict(analysis);
      moveThread(analysis);
      showScores(analysis);
      showMeters(analysis);
      $('timing').textContent = timingText(analysis);
      showStages($('stages'), analysis.timings);
      $('details').hidden = false;
    },

    /** What weighed most in the answer of `view`, see views.js. */
    showWeights(analysis, view) {
      showWords(analysis);
      const { words, regions } = analysis.explanation;
      const area = regions && !words ? areaText(regions, analysis.label) : '';
      $('weights').hidden = !area && $('weight-list').childElementCount === 0;
      $('weights-title').textContent = words ? 'Words that weighed most' : 'Where the picture weighed most';
      const note = area || (view === 'text' ? viewText(analysis) : '');
      $('weights-note').hidden = !note;
      $('weights-note').textContent = note;
    },

    /** Nothing to show: says why. */
    wait(message) {
      reading.dataset.state = 'waiting';
      $('verdict').textContent = message;
      $('details').hidden = true;
      moveThread(null);
    },

    /** Whether a newer answer is on its way. */
    busy(on) {
      if (on && reading.dataset.state === 'done') reading.dataset.state = 'busy';
      else if (!on && reading.dataset.state === 'busy') reading.dataset.state = 'done';
    },
  };
}

function labelHead(name, labels) {
  const head = document.createElement('th');
  head.scope = 'col';
  head.textContent = name;
  tint(head, name, labels);
  return head;
}

function scoreRow(name, { scores, label }, labels) {
  const row = document.createElement('tr');
  row.classList.toggle('whole', name === 'the post');
  row.dataset.reading = name;
  const head = document.createElement('th');
  head.scope = 'row';
  head.textContent = name;
  row.append(head);
  for (const { name: key } of labels) {
    const cell = document.createElement('td');
    tint(cell, key, labels);
    cell.classList.toggle('best', key === label);
    const bar = document.createElement('span');
    bar.className = 'bar';
    bar.append(document.createElement('span'));
    bar.firstElementChild.style.width = `${scores[key] * 100}%`;
    cell.append(percent(scores[key]), bar);
    row.append(cell);
  }
  return row;
}
