// The box that says what did not work, and what can be done about it.

import { kindly } from './sentences.js';

const $ = (id) => document.getElementById(id);

/** Says what went wrong; with `retry` there is a button for it. */
export function showTrouble(error, retry) {
  $('trouble').dataset.code = error?.code ?? 'unknown';
  $('trouble-text').textContent = kindly(error);
  $('trouble-button').hidden = !retry;
  $('trouble-button').onclick = retry ?? null;
  $('trouble').hidden = false;
}

export function hideTrouble() {
  $('trouble').hidden = true;
}
