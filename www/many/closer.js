// One post of the table, looked at more closely: read again, with its words marked and its photo.

import { marked, toned } from '../marked.js';
import { kindly, verdict } from '../sentences.js';
import { postOf } from './records.js';

const $ = (id) => document.getElementById(id);

/** Returns `open(record)`, which shows it in the dialog; `read(post)` is the model's analysis with its `labels`. */
export function createCloser(read) {
  const dialog = $('closer');
  let shown = null;
  $('closer-close').addEventListener('click', () => dialog.close());
  dialog.addEventListener('click', (event) => event.target === dialog && dialog.close()); // beside it
  dialog.addEventListener('close', () => {
    shown = null;
    URL.revokeObjectURL($('closer-photo').src);
    $('closer-photo').removeAttribute('src');
  });

  return async function open(record) {
    shown = record;
    $('closer-text').textContent = record.text;
    $('closer-verdict').textContent = '';
    $('closer-photo').hidden = !record.photo;
    if (record.photo) {
      $('closer-photo').src = URL.createObjectURL(record.photo);
      $('closer-photo').alt = record.photo.name;
    }
    dialog.showModal();
    try {
      const analysis = await read(postOf(record));
      if (shown !== record) return;
      $('closer-text').replaceChildren(...marked(record.text, analysis));
      $('closer-verdict').replaceChildren(...toned(verdict(analysis), analysis.labels));
    } catch (error) {
      if (shown === record) $('closer-verdict').textContent = kindly(error);
    }
  };
}
