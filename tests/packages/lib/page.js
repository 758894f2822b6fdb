// A page of a project in a browser: served, opened, asked, and what is wrong with it beside its answer.

import { BROWSERS, openBrowser } from './browsers.js';
import { serve } from './serve.js';

/** The weights' name, whatever a bundler adds to it. */
const WEIGHTS = /\.safetensors$/;

/**
 * The outcome of a page. `root` is the folder of the project that is served with `headers`, or `url` where something else
 * serves; `path` the page; `browser` one of {@link BROWSERS}; `says` what its console may say of errors.
 */
export async function inPage(project, { root = '.', url, path = '', headers, browser = 'chromium', options, visits = [], says }) {
  const server = url ? undefined : await serve(project.path(root), { headers });
  let opened;
  try {
    opened = await openBrowser(browser, options);
    const visit = await opened.visit(`${url ?? server.url}${path}`);
    let outcome = await visit.outcome();
    for (const next of visits) outcome = await next({ outcome, visit, server });
    const lost = (server?.requests ?? []).filter(({ status }) => status !== 200).map((request) => request.path);
    const errors = visit.errors.filter((error) => !says?.test(error));
    if (lost.length > 0) outcome = { error: `${outcome.error ?? 'answers'}; asks for what is not there: ${[...new Set(lost)].join(' ')}` };
    if (!outcome.error && errors.length > 0) outcome = { error: `answers, but the console says: ${errors.join(' | ')}` };
    return { ...outcome, versions: [`${BROWSERS[browser].title} ${opened.version}`] };
  } finally {
    await opened?.close();
    await server?.stop();
  }
}

/** A second visit, which must take the weights from the cache. */
export async function againFromCache({ outcome, visit, server }) {
  if (outcome.error) return outcome;
  const before = server.requests.length;
  await visit.reload();
  const second = await visit.outcome();
  const weights = server.requests.slice(before).filter(({ path }) => WEIGHTS.test(path));
  if (second.error || weights.length === 0) return second;
  return { error: 'the second visit fetches the weights again' };
}
