// The line above the table that says what was corrected and what was learned from it.

import { many } from '../sentences.js';

const $ = (id) => document.getElementById(id);

/**
 * Wires the line. `lessons` is what lessons.js makes, `corrected()` the records that were corrected and not learned from,
 * `changed()` is called when the model has become another, `failed(error)` when it has not. Returns `show()`.
 */
export function createLessonBar({ lessons, corrected, changed, failed }) {
  let busy = false;

  function show() {
    const { state } = lessons;
    const waiting = corrected().length;
    $('lesson').hidden = !state && !waiting;
    $('learn').hidden = !waiting;
    $('learn').textContent = `Learn from ${many(waiting, 'correction')}`;
    $('unlearn').hidden = $('forget-learned').hidden = !state;
    for (const id of ['learn', 'unlearn', 'forget-learned']) $(id).disabled = busy;
    $('lesson-text').textContent = busy ? 'Learning…' : state ? sentence(state) : 'Corrected here, and nowhere else.';
  }

  async function after(work) {
    if (busy) return;
    const focused = $('lesson').contains(document.activeElement);
    busy = true;
    show();
    try {
      await work();
      changed();
    } catch (error) {
      failed(error);
    } finally {
      busy = false;
      show();
      // What was pressed was disabled, and may be gone.
      if (focused && !$('lesson').contains(document.activeElement)) ($('lesson').querySelector('button:not([hidden])') ?? $('grid')).focus();
    }
  }

  $('learn').addEventListener('click', () => after(() => lessons.learn(corrected())));
  $('unlearn').addEventListener('click', () => after(lessons.undo));
  $('forget-learned').addEventListener('click', () => after(lessons.forget));
  return show;
}

/** What was learned is told by examples that were left out: what is learned by heart is worth nothing. */
function sentence({ report: { examples, before, after } }) {
  const told = `It has learned from ${many(examples, 'correction')}, kept on this device only.`;
  if (after <= before) return `${told} They do not agree enough to change much: give it a few more.`;
  return `${told} Of such posts it now reads ${after} of ${examples} as you do, before ${before}.`;
}
