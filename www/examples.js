// Posts to try. Some agree with their photo, some contradict it on purpose. Photos: see photos/LICENSES.md.

export const EXAMPLES = [
  {
    text: 'This is the worst holiday ever.',
    photo: 'summer-palace.jpg',
    alt: 'A red and green pagoda on a wooded hill above a lake, under a blue sky',
    author: 'danielbuechele (flickr)',
    licence: 'CC BY 2.0',
  },
  {
    text: 'Nothing beats coming home to this face. I love him so much!',
    photo: 'chelsea.jpg',
    alt: 'A ginger tabby cat, close up, looking past the camera',
    author: 'Stefan van der Walt',
    licence: 'CC0',
  },
  {
    text: 'Living the dream in our lovely new home!',
    photo: 'dust-bowl-home.jpg',
    alt: 'An abandoned wooden house on bare ground, in black and white',
    author: 'Getty Open Content, via stdlib',
    licence: 'no restrictions',
  },
  {
    text: 'Monday again. I slept badly and I hate everything about this day.',
    photo: 'coffee.jpg',
    alt: 'A full espresso cup on a red saucer',
    author: 'Rachel Michetti',
    licence: 'CC0',
  },
  {
    text: 'So much beauty up there. I feel lucky to see it.',
    photo: 'hubble-deep-field.jpg',
    alt: 'Hundreds of galaxies on a black sky',
    author: 'NASA/ESA',
    licence: 'public domain',
  },
  {
    text: 'Perfect solitude. I love it here.',
    photo: 'friends.jpg',
    alt: 'Two brown dogs leaning out of two windows of a wooden house',
    author: 'Aitzol Berasategi',
    licence: 'CC BY 4.0',
  },
  {
    text: 'Nobody came to my birthday. Saddest day in years.',
    photo: 'dahlia.jpg',
    alt: 'An orange dahlia in full bloom before dark leaves',
    author: 'vultilion (flickr)',
    licence: 'CC BY 2.0',
  },
  {
    text: 'The launch window opens at 21:40, weather permitting.',
    photo: 'rocket.jpg',
    alt: 'A white rocket on its launch pad at dusk, between floodlights',
    author: 'SpaceX',
    licence: 'public domain',
  },
];

/** `by author, licence`, as the page prints it under a photo. */
export function creditOf(example) {
  return `Photo: ${example.author}, ${example.licence}`;
}

const photos = new Map(); // example -> Promise<Blob>

/** An example's photo; fetched once, so that choosing an example asks nobody. */
export function photoOf(example) {
  if (!photos.has(example)) {
    photos.set(example, fetchPhoto(example.photo));
    photos.get(example).catch(() => photos.delete(example)); // the next call tries again
  }
  return photos.get(example);
}

/** A photo of the site's own, by its file name. */
export async function fetchPhoto(name) {
  const response = await fetch(new URL(`photos/${name}`, import.meta.url)).catch(() => null);
  if (!response?.ok) throw Object.assign(new Error(`${name} could not be fetched`), { code: 'image-fetch' });
  return response.blob();
}

/** Resolves when all photos are here, or known not to come. */
export function allPhotos() {
  return Promise.allSettled(EXAMPLES.map(photoOf));
}

/** Fills `list` with one button an example; `choose(example)` is called when one is picked. */
export function showExamples(list, choose) {
  for (const example of EXAMPLES) {
    const image = new Image();
    image.alt = '';
    photoOf(example).then(
      (blob) => (image.src = URL.createObjectURL(blob)),
      () => {}, // a grey field; choosing the example says what is wrong
    );
    const words = document.createElement('span');
    words.className = 'example-text';
    words.textContent = example.text;
    const author = document.createElement('span');
    author.className = 'example-credit';
    author.textContent = `${example.author}, ${example.licence}`;
    const button = document.createElement('button');
    button.type = 'button';
    button.setAttribute('aria-label', `Try: “${example.text}” Photo: ${example.alt}.`);
    button.append(image, words);
    button.addEventListener('click', () => choose(example));
    const item = document.createElement('li');
    item.append(button, author);
    list.append(item);
  }
}
