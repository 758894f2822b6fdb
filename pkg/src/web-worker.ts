/** Starts the package's script in a web worker. */

/** A worker of the page's origin, or where the script is from another one, of the page's that imports it. */
export function startWebWorker(): Worker {
  try {
    return new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'mixed-feelings' });
  } catch {
    const script = new URL('./worker.js', import.meta.url).href;
    const entry = URL.createObjectURL(new Blob([`import ${JSON.stringify(script)};`], { type: 'text/javascript' }));
    try {
      return new Worker(entry, { type: 'module', name: 'mixed-feelings' });
    } finally {
      // The worker has taken hold of its script by now in every engine only after a turn of the event loop.
      setTimeout(() => URL.revokeObjectURL(entry), 60_000);
    }
  }
}
