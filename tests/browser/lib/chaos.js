// What the chaos tests do in a page and in Node alike: rounds drawn from a seed, played on an analyzer, and judged.
//
// Nothing in here is of one place: what only a place can do (kill a worker, cut the network) is asked of its `world`.

/** A round's promises must settle in so many milliseconds; it is there against a hang, and measures nothing. */
const PATIENCE = 120_000;

/** What happens in a round beside its posts, and how often: shares of a hundred. */
const EVENTS = [
  ['nothing', 62],
  ['kill', 12], // the worker ends in the middle of it all
  ['dispose', 8], // and another analyzer is opened
  ['empty', 6], // the cache is emptied and the worker killed
  ['cut', 6], // the cache is emptied and the next download breaks off
  ['quota', 6], // there is no space to cache anything in
];

/** The events that end a worker. */
const DEATHS = ['kill', 'empty'];

/** A generator of numbers from 0 to below 1, the same ones for the same `seed` (Mulberry32 by Tommy Ettinger). */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * `count` rounds. Each has posts, an event, and when it happens. `good` are the posts that have an answer, `bad` those that
 * have an error, as lists of names.
 */
export function drawRounds(count, seed, { good, bad }) {
  const draw = random(seed);
  const below = (limit) => Math.floor(draw() * limit);
  return Array.from({ length: count }, (_, number) => {
    const posts = Array.from({ length: 1 + below(4) }, () => ({
      name: draw() < 0.25 ? bad[below(bad.length)] : good[below(good.length)],
      ...(draw() < 0.2 && { abortAfter: below(30) }),
    }));
    let share = draw() * 100;
    const [event] = EVENTS.find(([, part]) => (share -= part) < 0) ?? EVENTS[0];
    return { number, posts, event, after: below(40), bytes: below(20_000_000) };
  });
}

const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** What a promise came to: `{ answer }`, `{ code, retriable, message }`, `{ reason }` of an abort, or `{ hangs }`. */
export async function outcomeOf(promise) {
  let timer;
  const hangs = new Promise((resolve) => (timer = setTimeout(resolve, PATIENCE, { hangs: true })));
  const settled = promise.then(
    ({ label, valence }) => ({ answer: { label, valence } }),
    (error) =>
      error === 'left'
        ? { reason: error }
        : { code: error?.code ?? String(error), retriable: error?.retriable, message: String(error?.message).slice(0, 300) },
  );
  const outcome = await Promise.race([settled, hangs]);
  clearTimeout(timer);
  return outcome;
}

/** Sends a post. */
export function send(analyzer, { text, image }, abortAfter) {
  if (abortAfter === undefined) return outcomeOf(analyzer.analyze({ text, image }));
  const controller = new AbortController();
  setTimeout(() => controller.abort('left'), abortAfter);
  return outcomeOf(analyzer.analyze({ text, image, signal: controller.signal }));
}

/**
 * Plays a round in `world`, which has
 * - `analyzer`, and `open()`, a promise of a new one;
 * - `posts`: by name, `{ text, image }`;
 * - `kill()`, `emptyCache()`, `cutNetwork(bytes)`, `fillQuota(full)`.
 *
 * Returns the outcome of each post, of the reopening that the event asked for, and of a good post behind it all, with the
 * time that this one took.
 */
export async function play(world, { posts, event, after, bytes }, next) {
  const sent = posts.map(({ name, abortAfter }) => send(world.analyzer, world.posts[name], abortAfter));
  const opened = [];
  const reopen = async () => {
    world.analyzer.dispose();
    const outcome = await outcomeOf(world.open().then((analyzer) => ((world.analyzer = analyzer), {})));
    opened.push(outcome);
  };
  if (event !== 'nothing') await wait(after);
  if (event === 'kill') await world.kill();
  if (event === 'dispose') await reopen();
  if (event === 'empty') {
    await world.emptyCache();
    await world.kill();
  }
  if (event === 'cut') {
    await world.emptyCache();
    await world.cutNetwork(bytes);
    await reopen();
    await reopen();
  }
  if (event === 'quota') {
    await world.emptyCache();
    await world.fillQuota(true);
    await reopen();
    await world.fillQuota(false);
  }
  const outcomes = await Promise.all(sent);
  let began = performance.now();
  let last = await send(world.analyzer, world.posts[next]);
  // A worker that was busy dies when it comes to it: then this was the call that met it, and the next one answers.
  const late = DEATHS.includes(event) && last.retriable === true;
  if (late) {
    began = performance.now();
    last = await send(world.analyzer, world.posts[next]);
  }
  return { outcomes, opened, last, late, took: performance.now() - began };
}

/**
 * What is wrong with a round, as sentences; none when all is right. `expected` has the answer of each good post and the
 * code of each bad one.
 */
export function judge({ number, posts, event }, { outcomes, opened, last }, next, expected) {
  const wrong = [];
  const says = (what, outcome) => wrong.push(`round ${number} (${event}), ${what}: ${JSON.stringify(outcome)}`);
  const right = (name, { answer, code }) =>
    expected[name].code
      ? code === expected[name].code
      : answer?.label === expected[name].label && answer.valence === expected[name].valence;
  const killed = DEATHS.includes(event);
  posts.forEach(({ name, abortAfter }, i) => {
    const outcome = outcomes[i];
    if (right(name, outcome)) return;
    if (abortAfter !== undefined && outcome.reason === 'left') return;
    // An event may cost the calls that it meets, in the way that it says.
    if (killed && outcome.retriable && ['worker-failed', 'crashed'].includes(outcome.code)) return;
    if (!killed && event !== 'nothing' && outcome.code === 'disposed') return;
    says(name, outcome);
  });
  opened.forEach((outcome, i) => {
    const mayFail = event === 'cut' && i === 0 && outcome.code === 'bundle-fetch' && outcome.retriable;
    if (!outcome.answer && !mayFail) says(`opening ${i + 1}`, outcome);
  });
  if (!right(next, last)) says(`the next call (${next})`, last);
  return wrong;
}

/** How often each thing happened: events, outcomes of posts by code, times of the next call. */
export function tally(rounds, results) {
  const counts = {};
  const count = (key) => (counts[key] = (counts[key] ?? 0) + 1);
  const after = [];
  rounds.forEach(({ event }, i) => {
    count(`round: ${event}`);
    for (const { answer, code, reason, hangs } of results[i].outcomes) {
      count(`post: ${answer ? 'answered' : (code ?? (reason && 'aborted') ?? (hangs && 'hangs'))}`);
    }
    if (results[i].late) count('next call: met the death');
    for (const { answer, code } of results[i].opened) count(`opening: ${answer ? 'opened' : code}`);
    if (event !== 'nothing') after.push(results[i].took);
  });
  after.sort((a, b) => a - b);
  const at = (share) => Math.round(after[Math.floor(share * (after.length - 1))] ?? 0);
  return { counts, nextCall: { median: at(0.5), p99: at(0.99), longest: at(1) } };
}
