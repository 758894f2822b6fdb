// The page side of working offline: the service worker keeps whatever the page loads, and the site's other pages (see sw.js).

import { FILES } from './files.js';

const PATIENCE = 3000; // ms; without a service worker the page still works, online

/** Resolves once a service worker watches this page's requests, or when it is clear that none will. */
export async function watchRequests() {
  const container = navigator.serviceWorker;
  if (!container) return false;
  try {
    await container.register(new URL('sw.js', import.meta.url), { updateViaCache: 'none' });
  } catch {
    return false; // private windows and some embedded browsers refuse
  }
  if (container.controller) return true;
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), PATIENCE);
    container.addEventListener('controllerchange', () => {
      clearTimeout(timer);
      resolve(true);
    }, { once: true });
  });
}

/** Has the service worker keep also what was loaded before it was there, and the rest of the site. Resolves to whether all of it is kept. */
export function keepPage() {
  const worker = navigator.serviceWorker?.controller;
  if (!worker) return Promise.resolve(false);
  const urls = performance
    .getEntries()
    .filter((entry) => entry.entryType === 'resource' || entry.entryType === 'navigation')
    .map((entry) => entry.name.split('#')[0])
    .filter((url) => url.startsWith(location.origin));
  urls.push(...FILES.map((file) => new URL(file, import.meta.url).href));
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = (event) => resolve(event.data === true);
    worker.postMessage({ keep: [...new Set(urls)] }, [channel.port2]);
  });
}
