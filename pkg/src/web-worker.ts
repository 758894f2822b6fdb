/** Starts the package's scripts in web workers. The addresses are literal, as seen from `dist/`, so that bundlers find them. */

const OPTIONS = { type: 'module', name: 'mixed-feelings' } as const;
// The two have two names: webpack and Rspack put workers of one name into one file, which then runs both scripts.

/** A worker of the page's origin, or where the script is from another one, of the page's that imports it. */
export function startWebWorker(): Worker {
  try {
    return new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'mixed-feelings' });
  } catch {
    return startImporting(new URL('./worker.js', import.meta.url));
  }
}

/** The same for the GPU. */
export function startGpuWorker(): Worker {
  try {
    return new Worker(new URL('./gpu-worker.js', import.meta.url), { type: 'module', name: 'mixed-feelings-gpu' });
  } catch {
    return startImporting(new URL('./gpu-worker.js', import.meta.url));
  }
}

function startImporting(script: URL): Worker {
  const entry = URL.createObjectURL(new Blob([`import ${JSON.stringify(script.href)};`], { type: 'text/javascript' }));
  try {
    return new Worker(entry, OPTIONS);
  } finally {
    // The worker has taken hold of its script by now in every engine only after a turn of the event loop.
    setTimeout(() => URL.revokeObjectURL(entry), 60_000);
  }
}
