/** Web Locks: what tells one thread of a site about another. Where there are none (plain http, Node 20) all works without. */

import { after, onAbort, throwIfAborted } from './abort.js';

/**
 * Does `work` while nobody else of this site does work of this name, or when that has lasted for `patience` milliseconds.
 * `work` is told whether somebody else was at it.
 */
export async function alone<T>(
  name: string,
  patience: number,
  signal: AbortSignal | undefined,
  work: (waited: boolean) => Promise<T>,
): Promise<T> {
  const locks = lockManager();
  let doing: Promise<T> | undefined;
  const begin = (waited: boolean): Promise<unknown> => {
    doing = work(waited);
    // How it ends is for whoever called; the lock only waits for the end.
    return doing.catch(() => {});
  };
  if (!locks) return work(false);
  const waiting = new AbortController();
  const giveUp = () => waiting.abort();
  let stops: (() => void)[] = [];
  try {
    await locks.request(name, { ifAvailable: true }, (lock) => lock && begin(false));
    if (!doing) {
      stops = [after(patience, giveUp), onAbort(signal, giveUp)];
      await locks.request(name, { signal: waiting.signal }, () => begin(true));
    }
  } catch {
    // Refused (a sandboxed frame), or waited for long enough.
  } finally {
    stops.forEach((stop) => stop());
  }
  if (!doing) throwIfAborted(signal);
  return doing ?? work(true);
}

/** Holds a lock for as long as this thread lives. Returns its name once it is held, if it is. */
export async function holdForLife(): Promise<string | undefined> {
  const locks = lockManager();
  if (!locks) return undefined;
  const name = `mixed-feelings-${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
  return new Promise((resolve) => {
    locks.request(name, () => {
      resolve(name);
      return new Promise<never>(() => {});
    }).catch(() => resolve(undefined));
  });
}

/** Calls `then` when the thread that holds the lock of this name is gone, however it went. Ends with `signal`. */
export function onDeath(name: string, signal: AbortSignal, then: () => void): void {
  lockManager()?.request(name, { signal }, then).catch(() => {});
}

function lockManager(): LockManager | undefined {
  return typeof navigator === 'object' ? navigator.locks : undefined;
}
