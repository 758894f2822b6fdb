// A morning's reviews of a guest house by a lake that does not exist, by guests who do not either.

export const INBOX = [
  { guest: 'Marta', text: 'The room smelled of damp and the heating did not work. I froze all night and nobody cared.' },
  { guest: 'Jonas', text: 'What a view! We sat on the terrace for hours and did not want to leave.', photo: 'summer-palace.jpg' },
  { guest: 'Priya', text: 'Breakfast is from seven to ten. Parking behind the house.' },
  { guest: 'The Okafors', text: 'Charming little cabin, they said. So cosy, they said.', photo: 'dust-bowl-home.jpg' },
  { guest: 'Lena', text: 'The dogs at the window next door made our children laugh every morning. We love this place!', photo: 'friends.jpg' },
  { guest: 'Tom', text: 'I was charged twice and have been waiting for my money for three weeks. Terrible service.' },
  { guest: 'Ingrid', text: 'The garden was in full bloom. Thank you for the flowers in our room!', photo: 'dahlia.jpg' },
  { guest: 'Sam', text: 'It was all right.' },
  { guest: 'Aiko', text: 'Worst coffee I ever had, sorry to say. Cold, bitter, and the cup was dirty.', photo: 'coffee.jpg' },
  { guest: 'Pavel', text: 'We came for two nights and stayed for five. Warm, quiet, wonderful people.' },
  { guest: 'Ruth', text: 'Check-in at three, key in the box by the door.' },
  { guest: 'Diego', text: 'Rude answer at the desk, dirty towels, loud music until two. Never again.' },
  { guest: 'Hanna', text: 'Your cat slept on our bed. I am allergic. Not amused.', photo: 'chelsea.jpg' },
  { guest: 'Felix', text: 'No lamps outside, no noise, nothing but stars. I have never slept so well.', photo: 'hubble-deep-field.jpg' },
  { guest: 'Noor', text: 'The lift was out of order. The staff carried our bags up to the fourth floor, with a smile.' },
  { guest: 'Bea', text: 'Happy with everything! Best weekend of the year.' },
];
