// A comment box under an article. The hint comes from hint.js; here it is only shown.

import { keepForOffline, wakeModel } from '../../waking.js';
import { createPhoto } from '../photo.js';
import { watchComment } from './hint.js';

const $ = (id) => document.getElementById(id);

let watch = () => {}; // until the model is here, nothing is hinted, and comments can be posted all the same
const comment = () => ({ text: $('comment').value, image: photo.photo() });
const changed = () => watch(comment());
const photo = createPhoto($('photo'), changed);
$('comment').addEventListener('input', changed);

function showHint(hint) {
  $('hint').dataset.about = hint?.about ?? '';
  $('hint-text').textContent = hint ? sentence(hint) : '';
  $('hint').hidden = !hint;
}

/** Says how it will read, not what the writer may do. */
function sentence({ about, words }) {
  if (about === 'contradiction') return 'Words and photo point opposite ways. If that is the joke, good; some readers will miss it.';
  const most = words.map((word) => `“${word}”`).join(' and ');
  return `This will read as negative${most && `, most of all ${most}`}. If that is what you mean, go ahead.`;
}

$('form').addEventListener('submit', (event) => {
  event.preventDefault();
  const { text, image } = comment();
  if (!text.trim() && !image) return $('comment').focus();
  const item = document.createElement('li');
  const who = document.createElement('p');
  who.className = 'who';
  who.textContent = 'You, just now';
  const words = document.createElement('p');
  words.textContent = text;
  item.append(who, words);
  if (image) item.append(Object.assign(new Image(), { src: URL.createObjectURL(image), alt: 'Photo of the comment' }));
  $('comments').append(item);
  $('comment').value = '';
  photo.clear();
  watch(comment()); // whatever is still being read is no longer asked for
  showHint(null);
  $('comment').focus();
});

for (const button of document.querySelectorAll('[data-try]')) {
  button.addEventListener('click', () => {
    $('comment').value = button.dataset.try;
    $('comment').focus();
    changed();
  });
}

const { analyzer } = await wakeModel();
watch = watchComment(analyzer, showHint);
changed();
await keepForOffline();
