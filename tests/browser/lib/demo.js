// The demo as a user starts it: `cargo demo` serves the page and the built package on a free port.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The repository. */
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

const TARGET = process.env.CARGO_TARGET_DIR ?? `${ROOT}target`;

/** The native program: `MIXED_FEELINGS`, or where `cargo build` puts it. */
export const PROGRAM = process.env.MIXED_FEELINGS ?? `${TARGET}/debug/mixed-feelings`;

/** The program behind `cargo demo`: `XTASK`, or where `cargo pack` puts it. */
export const XTASK = process.env.XTASK ?? `${TARGET}/xtask/xtask`;

/** Starts the demo. Returns its `url` (with a slash at the end) and `stop()`. */
export async function startDemo() {
  if (!existsSync(XTASK)) throw new Error(`${XTASK} is not there: run cargo pack, or set XTASK`);
  const child = spawn(XTASK, ['demo', '--no-open', '--no-build', '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /http:\/\/\S+/.exec(line)?.[0];
    if (url) {
      const stop = () => {
        child.kill();
        return ended;
      };
      return { url, stop };
    }
  }
  throw new Error(`the demo ended without saying where it is (${await ended})`);
}
