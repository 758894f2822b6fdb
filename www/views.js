// What the marks explain: the answer to the whole post, to its words alone, or to its picture alone. Each is an answer of
// its own, with a label of its own.

const $ = (id) => document.getElementById(id);

/** Calls `changed()` when the reader chooses another view. */
export function createViews(changed) {
  const views = $('views');
  views.addEventListener('change', changed);

  return {
    /** What is explained: `'both'`, `'text'` or `'image'`. */
    chosen: () => views.querySelector('input:checked').value,

    /** There is a choice only where there are words and a picture; the next post begins with the whole. */
    offer(analysis) {
      const both = Boolean(analysis?.text && analysis.image);
      if (!both) views.querySelector('input[value=both]').checked = true;
      views.hidden = !both;
    },
  };
}
