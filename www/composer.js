// The left-hand side: words and a photo, however they come: typed, chosen, dropped, pasted, from an example.

import { areaText } from './areas.js';
import { onDrop } from './drop.js';
import { creditOf, photoOf } from './examples.js';
import { drawHeat, place } from './heat.js';
import { marked } from './marked.js';

// A text area shows the line after a trailing line feed; a div needs something on it.
const TAIL = '\u200b';
const MOST_MARKED = 20_000; // characters; longer texts are not laid out twice

const $ = (id) => document.getElementById(id);

/**
 * Wires the post's controls. `changed({ typing })` is called whenever the post is another one; `refused(error)` when
 * what was dropped is no picture. Returns the post and ways to mark it.
 */
export function createComposer({ changed, refused }) {
  const text = $('text');
  const marks = $('marks');
  const picture = $('picture');
  const heat = $('heat');
  const toggle = $('heat-toggle');
  let photo = null; // a Blob, or null
  let explained = null; // the analysis whose regions are shown, or null
  let latest = null; // the example that was chosen last, while its photo is fetched

  // Words

  function clearMarks() {
    marks.textContent = text.value.length > MOST_MARKED ? '' : text.value + TAIL;
    grow();
    offerClear();
  }

  function grow() {
    text.style.height = 'auto';
    text.style.height = `${text.scrollHeight}px`;
    // A scroll bar narrows the text area; the marks must wrap as its words do.
    marks.style.marginRight = `${text.offsetWidth - text.clientWidth}px`;
    marks.scrollTop = text.scrollTop;
  }

  text.addEventListener('input', () => {
    latest = null; // whoever writes on wants no other post
    clearMarks();
    changed({ typing: true });
  });
  text.addEventListener('scroll', () => (marks.scrollTop = text.scrollTop));
  new ResizeObserver(grow).observe(marks);

  // The photo

  function setPhoto(blob, { alt = 'The photo of the post', credit = '' } = {}) {
    if (picture.src) URL.revokeObjectURL(picture.src);
    photo = blob;
    clearHeat();
    $('photo').hidden = $('remove').hidden = !blob;
    $('drop').hidden = Boolean(blob);
    offerClear();
    $('credit').textContent = credit;
    picture.alt = alt;
    if (blob) picture.src = URL.createObjectURL(blob);
    else picture.removeAttribute('src');
  }

  function offer(file) {
    if (!file) return;
    if (file.type && !file.type.startsWith('image/')) {
      refused(Object.assign(new Error(`${file.name || 'the file'} is not an image`), { code: 'not-an-image' }));
      return;
    }
    latest = null;
    setPhoto(file);
    changed({ typing: false });
  }

  $('file').addEventListener('change', (event) => {
    offer(event.target.files[0]);
    event.target.value = ''; // so that the same file can be chosen again
  });
  $('remove').addEventListener('click', () => {
    setPhoto(null);
    changed({ typing: false });
    $('file').focus();
  });
  document.addEventListener('paste', (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((f) => f.type.startsWith('image/'));
    if (!file) return;
    event.preventDefault();
    offer(file);
  });

  onDrop($('post'), (transfer) => {
    const file = transfer.files[0];
    if (file) offer(file);
    else if (transfer.getData('text/plain')) {
      text.value = transfer.getData('text/plain');
      clearMarks();
      changed({ typing: false });
    }
  });

  // Heat

  function clearHeat() {
    explained = null;
    showHeat();
    $('heat-switch').hidden = true;
  }

  function showHeat() {
    const shown = Boolean(explained) && toggle.checked;
    heat.dataset.shown = String(shown);
    $('heat-text').textContent = shown ? areaText(explained.explanation.regions, explained.label) : '';
    if (explained && picture.clientWidth) drawHeat(heat, picture, explained);
  }

  toggle.addEventListener('change', showHeat);
  picture.addEventListener('load', () => {
    picture.parentElement.hidden = false;
    showHeat();
  });
  // The analyzer says what is wrong with it; a broken-image sign helps nobody.
  picture.addEventListener('error', () => (picture.parentElement.hidden = true));
  new ResizeObserver(() => place(heat, picture)).observe(picture);
  // Its colours are those of the theme, which the system or the page's own button may change.
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', showHeat);
  new MutationObserver(showHeat).observe(document.documentElement, { attributeFilter: ['data-theme'] });

  function offerClear() {
    $('clear').hidden = !photo && !text.value;
  }

  $('clear').addEventListener('click', () => {
    latest = null;
    text.value = '';
    clearMarks();
    setPhoto(null);
    changed({ typing: false });
    text.focus();
  });

  clearMarks();

  return {
    /** The post as the analyzer takes it. */
    post: () => ({ text: text.value, image: photo }),

    /** Takes an example's words and photo. */
    async choose(example) {
      latest = example;
      const blob = await photoOf(example);
      if (latest !== example) return; // another one, or something of one's own, came first
      text.value = example.text;
      clearMarks();
      setPhoto(blob, { alt: example.alt, credit: creditOf(example) });
      changed({ typing: false });
    },

    /** Marks what `analysis` explains of `post`, words and regions by weight, if it is still the one that is shown. */
    mark(post, analysis) {
      if (post.text === text.value) marks.replaceChildren(...marked(post.text, analysis), TAIL);
      explained = post.image && post.image === photo && analysis.explanation.regions ? analysis : null;
      $('heat-switch').hidden = !explained;
      showHeat();
      if (!analysis.text) return; // it says nothing about the words
      $('text-note').hidden = !analysis.truncated;
      $('text-note').textContent = analysis.truncated ? 'A long post: only its beginning was read.' : '';
    },

    /** Marks the photo that was read alone, while the post as a whole is still to be read. */
    markPhoto(image, analysis) {
      if (image !== photo || explained) return;
      explained = analysis;
      $('heat-switch').hidden = false;
      showHeat();
    },

    /** Tears the sheet between words and photo where they contradict each other; of `null` there is nothing to tear. */
    connect(analysis) {
      const torn = Boolean(analysis?.contradicts);
      $('post').dataset.contradicts = String(torn);
      $('tear-text').textContent = torn ? 'Words and picture contradict each other.' : '';
    },

    /** Takes all marks away. */
    unmark() {
      clearMarks();
      clearHeat();
      $('text-note').hidden = true;
    },
  };
}
