// How much memory the browser's processes hold, as Linux tells it.

import { readdirSync, readFileSync } from 'node:fs';

/** Resident bytes of all Chromium processes of this `type` that descend from this one. */
export function residentBytes(type) {
  const processes = new Map();
  for (const id of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const command = readFileSync(`/proc/${id}/cmdline`, 'latin1');
      const [parent] = readFileSync(`/proc/${id}/stat`, 'latin1').split(') ')[1].split(' ').slice(1);
      const pages = Number(readFileSync(`/proc/${id}/statm`, 'latin1').split(' ')[1]);
      processes.set(id, { command, parent, pages });
    } catch {
      // It ended in the meantime.
    }
  }
  const isOurs = (id) => id === String(process.pid) || (processes.has(id) && isOurs(processes.get(id).parent));
  let pages = 0;
  for (const [id, { command, pages: held }] of processes) {
    if (command.includes(`--type=${type}`) && isOurs(id)) pages += held;
  }
  return pages * 4096;
}
