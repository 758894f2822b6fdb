// The page: a post on the left, its reading on the right, the model between them.

import { createComposer } from './composer.js';
import { asJson, copyOnClick } from './copying.js';
import { allPhotos, showExamples } from './examples.js';
import { offerDevice } from './device.js';
import { createReading } from './reading.js';
import { hideTrouble, showTrouble } from './trouble.js';
import { createViews } from './views.js';
import { keepForOffline, wakeModel } from './waking.js';

const TYPING_PAUSE = 140; // ms without a key before a half-written post is read
const EMPTY = 'Waiting for a post.';

const $ = (id) => document.getElementById(id);

const reading = createReading();
const composer = createComposer({ changed, refused: showTrouble });
const views = createViews(() => answer && explain(answer).catch(showTrouble));
let model = null; // once it is loaded
let answer = null; // the last one, as `{ post, analysis }`
let pause = 0;
let lastKey = -Infinity;
let emptied = 0; // how often the post was taken away: what was asked before is of no interest then

// Reading

function changed({ typing }) {
  const now = performance.now();
  if (typing) lastKey = now;
  const stillTyping = now - lastKey < TYPING_PAUSE;
  clearTimeout(pause);
  pause = setTimeout(read, stillTyping ? TYPING_PAUSE : 0);
  if (stillTyping && !typing) lookAhead();
}

/** Reads a photo that comes while one types: when the words are there it is read already, and its marks are on it. */
async function lookAhead() {
  const { image } = composer.post();
  if (!model || !image) return;
  try {
    const analysis = await model.alone('image', { image });
    composer.markPhoto(image, analysis);
  } catch {
    // The reading of the whole post says what is wrong with it.
  }
}

async function read() {
  const post = composer.post();
  if (!post.text.trim() && !post.image) {
    emptied += 1;
    hideTrouble();
    composer.unmark();
    noAnswer(EMPTY);
    return;
  }
  if (!model) {
    noAnswer('This will be read as soon as the model is here.');
    return;
  }
  const before = emptied;
  reading.busy(true);
  try {
    const analysis = await model.ask(post);
    if (!analysis) return; // a newer post is being read, and says when it is
    reading.busy(false);
    if (emptied !== before) return;
    hideTrouble();
    answer = { post, analysis };
    views.offer(analysis);
    reading.show(analysis);
    composer.connect(analysis);
    await explain(answer);
  } catch (error) {
    reading.busy(false);
    if (emptied !== before) return;
    composer.unmark();
    noAnswer('Nothing could be read here.');
    showTrouble(error, error?.retriable ? read : undefined);
  }
}

function noAnswer(message) {
  answer = null;
  views.offer(null);
  composer.connect(null);
  reading.wait(message);
}

/** Marks what the chosen view explains; a view of one modality is an answer to that alone. */
async function explain({ post, analysis }) {
  const view = views.chosen();
  const explained = view === 'both' ? analysis : await model.alone(view, post);
  if (answer?.analysis !== analysis || view !== views.chosen()) return; // overtaken
  composer.mark(post, explained);
  reading.showWeights(explained, view);
}

// What stands ready

copyOnClick($('copy'), () => asJson(answer.analysis));
showExamples($('examples'), (example) => {
  composer.choose(example).then(() => $('post').scrollIntoView({ block: 'nearest' }), showTrouble);
});
reading.wait(EMPTY);

model = await wakeModel();
read();
offerDevice(model, { changed: read });
await keepForOffline(allPhotos());
