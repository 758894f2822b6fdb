/** What the entry points export, made for the platform that they are for. */

import { orAborted } from './abort.js';
import type { Library } from './api.js';
import { analyzerOf } from './analyzer.js';
import { isAtHand } from './bundle.js';
import { clearCache, openCache, persist } from './cache.js';
import { Engines, usualEngines } from './engines.js';
import { seen } from './errors.js';
import { Gpu } from './gpu.js';
import { Profile } from './learning.js';
import { opener } from './open.js';
import { filesOf, settingsOf } from './options.js';
import type { Platform } from './platform.js';
import { Supervisor } from './supervisor.js';
import { knownBackends } from './wasm.js';

/** Milliseconds that another worker may take to say that it runs: the script is in the browser's cache. */
const HELLO_AGAIN = 3000;

export function libraryOn(platform: Platform): Library {
  return {
    async createAnalyzer(options) {
      const settings = seen(() => settingsOf(options, platform));
      const { engine, onProgress, signal } = settings;
      if (settings.persist) void persist();
      const open = opener(settings, platform);
      const opening = open(engine, { onProgress, signal });
      // Not everything on the way can be ended. What comes too late is for nobody.
      opening.then((late) => signal?.aborted && late.dispose(), () => {});
      const opened = await orAborted(opening, signal);
      const again = { ...engine, hello: Math.min(HELLO_AGAIN, engine.hello) };
      const profile = new Profile();
      const reopen = async (ending: AbortSignal) => profile.restore(await open(again, { onProgress: () => {}, signal: ending }));
      const engines = new Engines(new Supervisor(opened, reopen), {
        open: reopen,
        most: () => settings.batchWorkers ?? usualEngines(platform.cores(), opened.opened.bundle.bytes),
        isAtHand: () => isAtHand(engine.bundle, engine.cache),
      });
      const gpu = new Gpu(settings, platform.startGpuWorker, engines);
      return analyzerOf({ engines, gpu, profile, settings, platform });
    },

    async cached(options) {
      const { bundle, wasm, cache } = seen(() => filesOf(options ?? {}, platform));
      const store = await openCache(cache);
      const program = knownBackends().map((backend) => wasm[backend]).find((source) => source !== undefined);
      const has = async (source: unknown) =>
        typeof source !== 'string' || (await store?.match(source).catch(() => undefined)) !== undefined;
      return (await has(bundle.from)) && (await has(program));
    },

    clearCache,
  };
}
