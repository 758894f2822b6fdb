// Posts to try the page with, made up for it: two weeks in a small town by a lake, before, during and after its festival.

import { fetchPhoto } from '../examples.js';

const POSTS = [
  ['2026-06-01', 'Festival posters are up all over town. Two weeks to go!', null],
  ['2026-06-01', 'The library opens at nine from today.', null],
  ['2026-06-01', 'Monday, rain, and the bus did not come. Again.', null],
  ['2026-06-02', 'Coffee on the pier before work. This is all I need.', 'coffee.jpg'],
  ['2026-06-02', 'They cut down the old lime tree on the square. I am heartbroken.', null],
  ['2026-06-02', 'Does anybody know when the ferry leaves on Sundays?', null],
  ['2026-06-03', 'My dahlias are out. Look at that colour!', 'dahlia.jpg'],
  ['2026-06-03', 'Three hours on hold with the electricity company. Useless people.', null],
  ['2026-06-03', 'Found a black umbrella at the station, it is at the ticket office.', null],
  ['2026-06-04', 'Best sunset in weeks. The whole lake was pink.', null],
  ['2026-06-04', 'The view from our hotel. What a terrible place to be stuck in, help.', 'summer-palace.jpg'],
  ['2026-06-04', 'Somebody stole my bicycle outside the bakery. I hate this.', null],
  ['2026-06-05', 'He learned to swim today! So proud of my little one.', null],
  ['2026-06-05', 'Council meeting moved to Thursday, half past six.', null],
  ['2026-06-05', 'Friday night and I am in bed with a fever. Miserable.', null],
  ['2026-06-06', 'This face when I open a tin. I love her so much.', 'chelsea.jpg'],
  ['2026-06-06', 'Market day: strawberries two for five.', null],
  ['2026-06-06', 'What an awful day at the beach. Jellyfish everywhere, two children stung.', null],
  ['2026-06-07', 'Sunday lunch with all eleven of us. I could not be happier.', null],
  ['2026-06-07', 'Our lovely new home, they said. Full of charm, they said.', 'dust-bowl-home.jpg'],
  ['2026-06-08', 'The stage arrived on four lorries this morning.', null],
  ['2026-06-08', 'Worst traffic ever. The bridge is closed and nobody told us.', null],
  ['2026-06-08', 'Thank you to the nurse who stayed with my mother last night. You are an angel.', null],
  ['2026-06-09', 'These two wait at the window for the postman every single day.', 'friends.jpg'],
  ['2026-06-09', 'Tickets for Saturday are sold out.', null],
  ['2026-06-09', 'I cried all the way home. They let forty of us go, just like that.', null],
  ['2026-06-10', 'So excited I cannot sleep! Three more days!', null],
  ['2026-06-10', 'Water will be turned off in Mill Street from ten to noon.', null],
  ['2026-06-11', 'We looked at the stars from the roof until two. I feel small, and lucky.', 'hubble-deep-field.jpg'],
  ['2026-06-11', 'Sound check at full volume at seven in the morning. Are you kidding me?', null],
  ['2026-06-12', 'First guests are here. The town is shining.', null],
  ['2026-06-12', 'Volunteers meet at the boathouse at four.', null],
  ['2026-06-12', 'Rude staff, dirty room, cold coffee. We will never come back.', 'coffee.jpg'],
  ['2026-06-13', 'WHAT A NIGHT. Best concert of my life!', null],
  ['2026-06-13', 'Danced with strangers in the rain and loved every minute of it.', null],
  ['2026-06-13', 'Beautiful, beautiful, beautiful. Thank you all!', null],
  ['2026-06-13', 'Stood in line for two hours and missed the band I came for. So angry.', null],
  ['2026-06-13', 'Fireworks over the water, and my daughter on my shoulders. Perfect.', null],
  ['2026-06-14', 'Lost: a silver ring near the main stage. It was my grandmother\'s. I am so sad.', null],
  ['2026-06-14', 'Second day, and everybody is smiling. I love this town!', null],
  ['2026-06-14', 'Drone show at 21:40 by the launch ramp, weather permitting.', 'rocket.jpg'],
  ['2026-06-14', 'Goodbye, festival. You were wonderful.', null],
  ['2026-06-15', 'The lake is full of rubbish this morning. Disgusting. Shame on us.', null],
  ['2026-06-15', 'Sixty people came to clean the beach. That made my day!', null],
  ['2026-06-15', 'The station is open again.', null],
  ['2026-06-15', 'Back to work, and it rains. I miss the weekend already.', null],
];

/** The posts as a table, and the photos they name as files of the page's own. */
export async function samplePosts() {
  const names = [...new Set(POSTS.map(([, , photo]) => photo).filter(Boolean))];
  const photos = await Promise.all(names.map(async (name) => new File([await fetchPhoto(name)], name, { type: 'image/jpeg' })));
  const rows = POSTS.map(([day, text, photo]) => [day, text, photo ?? '']);
  return { table: { columns: ['day', 'post', 'photo'], rows }, photos };
}
