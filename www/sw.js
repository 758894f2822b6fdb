// Keeps everything the page loads, so that it opens again without a network.
//
// Network first: while the server answers, its answer is shown and kept; when it does not, the kept one is shown. The
// browser's own HTTP cache makes the network way cheap (the server answers 304 to a known ETag). The model itself is left
// to the package, which keeps and verifies it.

const CACHE = 'mixed-feelings-page';

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== self.location.origin || url.pathname.endsWith('.safetensors')) return;
  event.respondWith(networkFirst(request, event));
});

self.addEventListener('message', (event) => {
  if (!Array.isArray(event.data?.keep)) return;
  event.waitUntil(
    keepAll(event.data.keep).then(
      () => event.ports[0]?.postMessage(true),
      () => event.ports[0]?.postMessage(false),
    ),
  );
});

async function networkFirst(request, event) {
  try {
    const response = await fetch(request);
    if (response.ok && response.type === 'basic') event.waitUntil(keep(request, response.clone()).catch(() => {})); // no room, or a part of a file
    return response;
  } catch (error) {
    const kept = await (await caches.open(CACHE)).match(request, { ignoreVary: true });
    if (kept) return kept;
    throw error;
  }
}

async function keep(request, response) {
  const cache = await caches.open(CACHE);
  await cache.put(request, response);
}

/**
 * Fetches and keeps `urls`, so that what is kept is of one time: a page of today with a script of last week would not work.
 * The server says of most that they are the same. Without it, those that are kept will do.
 */
async function keepAll(urls) {
  const cache = await caches.open(CACHE);
  const fresh = async (url) => {
    try {
      await cache.add(url);
    } catch (error) {
      if (!(await cache.match(url))) throw error;
    }
  };
  await Promise.all(urls.map(fresh));
}
