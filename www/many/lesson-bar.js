// The line above the table that says what was corrected and what was learned from it.

const $ = (id) => document.getElementById(id);
const many = (number, what) => `${number.toLocaleString('en')} ${what}${number === 1 ? '' : 's'}`;

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
    $('lesson-text').textContent = busy ? 'Learning …' : state ? sentence(state) : 'Corrected here, and nowhere else.';
  }

  async function after(work, learned) {
    if (busy) return;
    busy = true;
    show();
    try {
      await work();
      busy = false;
      show();
      changed({ learned });
    } catch (error) {
      failed(error);
    } finally {
      busy = false;
      show();
    }
  }

  $('learn').addEventListener('click', () => {
    const records = corrected();
    return after(async () => {
      await lessons.learn(records);
      for (const record of records) record.taught = record.correction;
    }, true);
  });
  $('unlearn').addEventListener('click', () => after(lessons.undo, false));
  $('forget-learned').addEventListener('click', () => after(lessons.forget, false));
  return show;
}

/** What was learned is told by examples that were left out: what is learned by heart is worth nothing. */
function sentence({ report: { examples, before, after } }) {
  const told = `It has learned from ${many(examples, 'correction')}, kept on this device only.`;
  if (after <= before) return `${told} They do not agree enough to change much: give it a few more.`;
  return `${told} Of such posts it now reads ${after} of ${examples} as you do, before ${before}.`;
}
