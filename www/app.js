// The page: a post on the left, its reading on the right, the model between them.

import { createComposer } from './composer.js';
import { allPhotos, showExamples } from './examples.js';
import { keepPage, watchRequests } from './offline.js';
import { createReading } from './reading.js';
import { kindly, megabytes } from './sentences.js';

const TYPING_PAUSE = 140; // ms without a key before a half-written post is read
const EMPTY = 'Waiting for a post.';

const $ = (id) => document.getElementById(id);

const reading = createReading();
const composer = createComposer({ changed, refused: showTrouble });
let ask = null; // the loaded model
let pause = 0;

// Reading

function changed({ typing }) {
  clearTimeout(pause);
  pause = setTimeout(read, typing ? TYPING_PAUSE : 0);
}

async function read() {
  const post = composer.post();
  if (!post.text.trim() && !post.image) {
    hideTrouble();
    composer.unmark();
    reading.wait(EMPTY);
    return;
  }
  if (!ask) {
    reading.wait('This will be read as soon as the model is here.');
    return;
  }
  reading.busy(true);
  try {
    const analysis = await ask(post);
    if (!analysis) return; // a newer post is being read
    hideTrouble();
    reading.show(analysis);
    composer.mark(post, analysis);
  } catch (error) {
    composer.unmark();
    reading.wait('Nothing could be read here.');
    showTrouble(error, error?.retriable ? read : undefined);
  } finally {
    reading.busy(false);
  }
}

// Trouble

function showTrouble(error, retry) {
  $('trouble').dataset.code = error?.code ?? 'unknown';
  $('trouble-text').textContent = kindly(error);
  $('trouble-button').hidden = !retry;
  $('trouble-button').onclick = retry ?? null;
  $('trouble').hidden = false;
}

function hideTrouble() {
  $('trouble').hidden = true;
}

// The model

function showProgress({ stage, loaded, total, cached }) {
  if (stage !== 'download' || cached) {
    $('progress').hidden = true;
    setStatus('loading', 'Waking the model');
    return;
  }

  const bar = $('progress');
  bar.hidden = false;
  if (total) {
    const part = Math.min(100, (100 * loaded) / total);
    bar.firstElementChild.style.width = `${part}%`;
    bar.setAttribute('aria-valuenow', Math.round(part));
    bar.setAttribute('aria-valuetext', `${megabytes(loaded)} of ${megabytes(total)} megabytes`);
  }
  setStatus('loading', `Fetching the model: ${megabytes(loaded)}${total ? ` of ${megabytes(total)}` : ''} MB`);
}

function setStatus(state, text) {
  // A screen reader hears the progress bar while bytes come, and the status when there is news.
  $('status').setAttribute('aria-live', state === 'loading' ? 'off' : 'polite');
  $('status').dataset.state = state;
  $('status').textContent = text;
}

async function start() {
  hideTrouble();
  setStatus('loading', 'Waking the model');
  try {
    await watchRequests();
    const { loadModel } = await import('./model.js');
    ask = await loadModel(showProgress);
  } catch (error) {
    setStatus('failed', 'No model');
    showTrouble(error, start);
    return;
  } finally {
    $('progress').hidden = true;
  }
  setStatus('ready', 'Model ready');
  read();
  await Promise.all([document.fonts.ready, allPhotos()]);
  if (await keepPage()) setStatus('offline', 'Model ready, works offline');
}

showExamples($('examples'), (example) => {
  composer.choose(example).then(() => $('post').scrollIntoView({ block: 'nearest' }), showTrouble);
});
reading.wait(EMPTY);
start();
