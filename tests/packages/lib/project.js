// An empty project that installs the packed package, as a stranger makes one.

import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository. */
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

const CONSUMER = fileURLToPath(new URL('../consumer/', import.meta.url));

/** Milliseconds that a command may take; it is there against a hang. */
const PATIENCE = 1_200_000;

/** Nothing is reported to anybody, nothing is coloured, nobody is asked. */
const QUIET = {
  CI: '1',
  NO_COLOR: '1',
  ASTRO_TELEMETRY_DISABLED: '1',
  DENO_NO_UPDATE_CHECK: '1',
  DO_NOT_TRACK: '1',
  NEXT_TELEMETRY_DISABLED: '1',
  WRANGLER_SEND_METRICS: 'false',
  npm_config_update_notifier: 'false',
};

/** What runs now. */
const running = new Set();

/** Ends everything that was started here; for a process that ends early itself. */
export function endAll() {
  for (const child of running) void end(child);
}

/** Starts a program in a group of processes of its own, so that it can be ended with those that it starts. */
function started(program, args, cwd) {
  const child = spawn(program, args, { cwd, env: { ...process.env, ...QUIET }, detached: true });
  running.add(child);
  child.once('close', () => running.delete(child));
  return child;
}

/** Packs the package in `pkg/` into `folder` and returns the tarball's path and its size in bytes. */
export async function pack(folder) {
  const npm = ['npm', 'pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const [{ filename, size }] = JSON.parse(await command(npm, { cwd: join(ROOT, 'pkg') }));
  return { tarball: join(folder, filename), size };
}

/** A project in `folder`: package, consumer, `files` (by name) and npm `packages` (name to exact version). */
export class Project {
  constructor(folder) {
    this.folder = folder;
    this.children = [];
  }

  static async create(folder, tarball, { packages = {}, scripts = false, files = {}, type = 'module' }) {
    const project = new Project(folder);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const dependencies = { 'mixed-feelings': `file:${tarball}`, ...packages };
    project.write('package.json', JSON.stringify({ name: 'consumer', private: true, type, dependencies }, null, 2));
    cpSync(CONSUMER, folder, { recursive: true });
    project.write('posts.js', postsModule());
    for (const [name, text] of Object.entries(files)) project.write(name, text);
    // Those that need nothing but the package get a copy of what npm installed for the first of them.
    const alone = Object.keys(packages).length === 0;
    const installed = join(dirname(folder), 'installed');
    if (alone && existsSync(installed)) {
      cpSync(installed, project.path('node_modules'), { recursive: true, verbatimSymlinks: true });
      return project;
    }
    const install = ['npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', '--no-package-lock'];
    await project.run(...install, ...(scripts ? [] : ['--ignore-scripts']));
    if (alone) cpSync(project.path('node_modules'), installed, { recursive: true, verbatimSymlinks: true });
    return project;
  }

  path(name) {
    return join(this.folder, name);
  }

  write(name, text) {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), text);
  }

  /** Copies files and folders within the project. */
  copy(from, to) {
    cpSync(this.path(from), this.path(to), { recursive: true, dereference: true });
  }

  /** The version of an installed package. */
  version(name) {
    return JSON.parse(readFileSync(this.path(`node_modules/${name}/package.json`), 'utf8')).version;
  }

  /** The program that an installed package brings. */
  bin(name) {
    return this.path(`node_modules/.bin/${name}`);
  }

  /** Runs a command to its end and returns what it wrote to its output; fails with what it wrote when it fails. */
  run(program, ...args) {
    return command([program, ...args], { cwd: this.folder });
  }

  /** Runs a program that prints an outcome as JSON in its last line. */
  async outcomeOf(program, ...args) {
    const output = await this.run(program, ...args);
    const line = output.trim().split('\n').at(-1);
    try {
      return JSON.parse(line);
    } catch {
      throw new Error(`no outcome in its last line: ${output.slice(-500)}`);
    }
  }

  /** Starts a server of the project's and returns the URL that it prints. */
  start(program, ...args) {
    const child = started(program, args, this.folder);
    this.children.push(child);
    return new Promise((resolve, reject) => {
      let output = '';
      const fail = (why) => reject(new Error(`${[program, ...args].join(' ')} ${why}: ${output.slice(-2000)}`));
      const timer = setTimeout(fail, 300_000, 'does not say where it serves');
      const hear = (chunk) => {
        output += chunk;
        // A colour in the middle of the URL is still there with some, whatever NO_COLOR says.
        const url = /http:\/\/(?:localhost|127\.0\.0\.1):\d+/.exec(output.replace(/\x1b\[\d*m/g, ''))?.[0];
        if (!url) return;
        clearTimeout(timer);
        resolve(`${url}/`);
      };
      child.stdout.on('data', hear);
      child.stderr.on('data', hear);
      child.once('error', (error) => fail(error.message));
      child.once('close', (code) => fail(`ended with ${code}`));
    });
  }

  /** Ends its servers and deletes it. */
  async remove() {
    await Promise.all(this.children.map(end));
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

/** Ends a process and those that it started. */
function end(child) {
  if (child.exitCode !== null || child.signalCode !== null || !child.pid) return undefined;
  const ended = new Promise((resolve) => child.once('close', resolve));
  process.kill(-child.pid, 'SIGKILL');
  return ended;
}

/** Runs a command to its end; see {@link Project.run}. */
function command([program, ...args], { cwd }) {
  return new Promise((resolve, reject) => {
    const child = started(program, args, cwd);
    let output = '';
    let all = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
      all += chunk;
    });
    child.stderr.on('data', (chunk) => (all += chunk));
    const name = [program.split('/').at(-1), ...args].join(' ').slice(0, 120);
    const timer = setTimeout(() => {
      all += `\nIt was ended after ${PATIENCE / 1000} s.`;
      void end(child);
    }, PATIENCE);
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      if (code === 0) resolve(output);
      else reject(new Error(`\`${name}\` ended with ${code}: ${all.trim().slice(-1500)}`));
    });
  });
}

/** Three posts as a module that needs no server, no files and no loader: text, picture, both. */
function postsModule() {
  const base64 = (name) => JSON.stringify(readFileSync(join(ROOT, `www/photos/${name}.jpg`)).toString('base64'));
  return `const bytes = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
export const posts = {
  text: { text: 'Perfect solitude' },
  picture: { image: bytes(${base64('rocket')}) },
  both: { text: 'Oh great, another Monday. Look at him.', image: bytes(${base64('chelsea')}) },
};
`;
}
