// WebKitGTK through WebDriver: MiniBrowser on a screen that nobody sees.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const FOLDERS = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/libexec', '/usr/lib64'];
const VERSIONS = ['webkitgtk-6.0', 'webkit2gtk-4.1', 'webkit2gtk-4.0'];

/** Where driver, browser and screen are, or `undefined`: Debian has them as `webkit2gtk-driver` and `xvfb`. */
export function webKitPrograms() {
  const browsers = FOLDERS.flatMap((folder) => VERSIONS.map((version) => join(folder, version, 'MiniBrowser')));
  const [driver, browser, screen] = [['/usr/bin/WebKitWebDriver'], browsers, ['/usr/bin/Xvfb']].map((programs) =>
    programs.find((program) => existsSync(program)),
  );
  return driver && browser && screen ? { driver, browser, screen } : undefined;
}

/** Waits until `attempt` does not fail. */
async function until(attempt, patience = 20_000) {
  const began = performance.now();
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() - began > patience) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** As `openBrowser` of browsers.js. */
export async function openWebKit() {
  const { driver, browser, screen } = webKitPrograms();
  const home = mkdtempSync(join(tmpdir(), 'mixed-feelings-webkit-'));
  // The profile goes into the home's folders, so that none of an earlier run is there.
  const env = { ...process.env, HOME: home, XDG_DATA_HOME: home, XDG_CACHE_HOME: home, XDG_CONFIG_HOME: home };
  const display = `:${90 + (process.pid % 900)}`;
  const port = 20_000 + (process.pid % 20_000);
  const children = [
    spawn(screen, [display, '-screen', '0', '1280x900x24', '-nolisten', 'tcp'], { stdio: 'ignore', env }),
    spawn(driver, [`--port=${port}`], { stdio: 'ignore', env: { ...env, DISPLAY: display } }),
  ];
  const ask = async (method, path, body) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, ...(body && { body: JSON.stringify(body) }) });
    const { value } = await response.json();
    if (!response.ok) throw new Error(`WebDriver: ${value?.error}: ${value?.message}`);
    return value;
  };
  async function close() {
    await session?.end().catch(() => {});
    for (const child of children) child.kill();
    try {
      rmSync(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    } catch {
      // The browser's processes end after the driver's, and write until then: what they leave says nothing about the package.
    }
  }
  let session;
  try {
    await until(() => ask('GET', '/status'));
    const options = { binary: browser, args: ['--automation'] };
    const capabilities = { alwaysMatch: { browserName: 'MiniBrowser', 'webkitgtk:browserOptions': options } };
    const { sessionId, capabilities: got } = await until(() => ask('POST', '/session', { capabilities }));
    const path = `/session/${sessionId}`;
    session = { path, version: got.browserVersion, end: () => ask('DELETE', path) };
    await ask('POST', `${path}/timeouts`, { script: 300_000, pageLoad: 60_000 });
  } catch (error) {
    await close();
    throw error;
  }
  return {
    version: session.version,
    async visit(url) {
      await ask('POST', `${session.path}/url`, { url });
      const errors = [];
      return {
        errors,
        outcome: () => ask('POST', `${session.path}/execute/async`, { script: `(${outcomeInPage})(arguments[0])`, args: [] }),
        reload: () => ask('POST', `${session.path}/refresh`, {}),
      };
    },
    close,
  };
}

/** Runs in the page: what its `window.outcome` comes to. */
function outcomeInPage(done) {
  const began = performance.now();
  const look = () => {
    if (globalThis.outcome) Promise.resolve(globalThis.outcome).then(done, (error) => done({ error: String(error) }));
    else if (performance.now() - began > 60_000) done({ error: "the page's script did not come so far within 60 s" });
    else setTimeout(look, 50);
  };
  look();
}
