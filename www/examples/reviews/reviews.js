// A morning's reviews, read one after another and laid on piles; triage.js says which.

import { fetchPhoto } from '../../examples.js';
import { marked } from '../../marked.js';
import { hideTrouble, showTrouble } from '../../trouble.js';
import { keepForOffline, wakeModel } from '../../waking.js';
import { createPhoto } from '../photo.js';
import { INBOX } from './inbox.js';
import { PILES, triage } from './triage.js';

const $ = (id) => document.getElementById(id);

const woken = wakeModel();
const read = []; // reviews with their analyses
const photo = createPhoto($('photo'));
let labels = [];

function show() {
  const piles = triage(read, labels);
  for (const { name } of PILES) {
    const pile = piles.get(name);
    $(`pile-${name}`).replaceChildren(...pile.map(card));
    $(`count-${name}`).textContent = pile.length;
  }
}

function card(review) {
  const { guest, text, image, analysis } = review;
  const item = document.createElement('li');
  const who = Object.assign(document.createElement('p'), { className: 'who', textContent: guest });
  const words = Object.assign(document.createElement('p'), { className: 'review' });
  words.append(...marked(text, { ...analysis, labels }));
  item.append(who, words);
  if (image) item.append(Object.assign(new Image(), { src: (review.url ??= URL.createObjectURL(image)), alt: `Photo by ${guest}` }));
  const done = Object.assign(document.createElement('button'), { className: 'plain', type: 'button', textContent: 'Done' });
  done.setAttribute('aria-label', `Done with the review by ${guest}`);
  done.addEventListener('click', () => {
    const pile = item.parentNode;
    const place = [...pile.children].indexOf(item);
    read.splice(read.indexOf(review), 1);
    if (review.url) URL.revokeObjectURL(review.url);
    show();
    const next = pile.children[Math.min(place, pile.children.length - 1)] ?? $('piles'); // of the same pile, if there is one
    (next.querySelector('.plain') ?? $('review')).focus();
  });
  item.append(done);
  return item;
}

/** Reads reviews in their order; each is laid down as soon as it is read. */
async function take(reviews) {
  const { analyzer } = await woken;
  const began = performance.now();
  let unread = 0;
  for await (const { index, analysis, error } of analyzer.analyzeBatch(reviews)) {
    if (error) {
      showTrouble(error);
      unread += 1;
      continue;
    }
    read.push({ ...reviews[index], analysis });
    show();
  }
  const number = reviews.length - unread;
  if (!number) return;
  const told = number === 1 ? 'One review' : `${number} reviews`;
  $('told').textContent = `${told} read and sorted in ${((performance.now() - began) / 1000).toFixed(1)} seconds, on this device.`;
}

for (const { name, title, about } of PILES) {
  const pile = document.createElement('section');
  pile.className = 'pile';
  pile.setAttribute('aria-labelledby', `title-${name}`);
  const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
  const head = make('h2', { className: 'label', id: `title-${name}`, textContent: `${title} ` });
  head.append(make('span', { id: `count-${name}`, textContent: '0' }));
  pile.append(head, make('p', { className: 'soft', textContent: about }), make('ul', { id: `pile-${name}` }));
  $('piles').append(pile);
}

$('form').addEventListener('submit', (event) => {
  event.preventDefault();
  const [text, image] = [$('review').value, photo.photo()];
  if (!text.trim() && !image) return $('review').focus();
  hideTrouble();
  if (!labels.length) $('told').textContent = 'Yours is read as soon as the model is here.';
  take([{ guest: 'You', text, ...(image && { image }) }]).catch(showTrouble);
  $('form').reset();
  photo.clear();
});
const inbox = INBOX.map(async ({ photo, ...review }) => (photo ? { ...review, image: await fetchPhoto(photo) } : review));
({ labels } = await woken);
await Promise.all(inbox).then(take, showTrouble);
await keepForOffline();
