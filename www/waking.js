// From an empty page to a model that answers, told in the line at the top: fetching, waking, ready, offline.

import { keepPage, watchRequests } from './offline.js';
import { megabytes } from './sentences.js';
import { hideTrouble, showTrouble } from './trouble.js';

const $ = (id) => document.getElementById(id);

/** Resolves to the model, see model.js. A failure is shown, and tried again when the reader says so. */
export async function wakeModel() {
  for (;;) {
    hideTrouble();
    setStatus('loading', 'Waking the model');
    try {
      await watchRequests();
      const { loadModel } = await import('./model.js');
      const model = await loadModel(showProgress);
      $('progress').hidden = true;
      setStatus('ready', 'Model ready');
      return model;
    } catch (error) {
      $('progress').hidden = true;
      setStatus('failed', 'No model');
      await new Promise((retry) => showTrouble(error, retry));
    }
  }
}

/** Keeps all that the page needs, once `loaded` is there, so that it opens without a network; says so. */
export async function keepForOffline(...loaded) {
  await Promise.all([document.fonts.ready, ...loaded]);
  if (await keepPage()) setStatus('offline', 'Model ready, works offline');
}

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
