// A headless browser, for the tests and for the benchmark.

import puppeteer from 'puppeteer-core';

/**
 * Starts `program`, a Chromium unless `name` says `firefox`; `args` are more of Chromium's switches, `extensions` whether it
 * can install some, `profile` a folder for its profile, `prefs` Firefox's settings, `gpu` whether it has one (SwiftShader, a
 * program on the CPU, where the machine has none).
 */
export function launch({ name = 'chromium', program, args = [], extensions = false, profile, prefs = {}, gpu = false }) {
  const firefox = name === 'firefox';
  return puppeteer.launch({
    browser: firefox ? 'firefox' : 'chrome',
    executablePath: program,
    headless: true,
    ...(firefox && { extraPrefsFirefox: prefs }),
    ...(extensions && { enableExtensions: true, pipe: true }),
    ...(profile && { userDataDir: profile }),
    timeout: 120_000, // on a machine that is busy with other things
    protocolTimeout: 0, // a call may take as long as what is called
    args: firefox
      ? []
      : [
          ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), // containers run as root
          gpu ? '--enable-unsafe-webgpu' : '--disable-gpu',
          '--disable-dev-shm-usage',
          '--disable-background-networking',
          '--disable-component-update',
          '--disable-sync',
          '--no-first-run',
          ...args,
        ],
  });
}
