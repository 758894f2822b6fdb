/** Which of the two wasm programs this engine runs, and whether it runs it correctly. */

import type * as Glue from './engine-glue.js';
import { MixedFeelingsError, shown } from './errors.js';
import { fetchBytes, type FetchOptions } from './fetch.js';
import { kindOf } from './kinds.js';
import type { Backend } from './types.js';

export type Program = typeof Glue;

interface Build {
  readonly backend: Backend;
  /** A module that is valid only where this build's instructions are known. */
  readonly probe: Uint8Array<ArrayBuffer>;
  /** Literal paths, so that bundlers find both files. */
  readonly glue: () => Promise<Program>;
  readonly wasm: () => URL;
}

/** `\0asm`, version 1, one function type `() -> ()`, one function of it. */
const PREAMBLE = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0];
/** `i32.const 0`, `i8x16.splat`: a vector on the stack. */
const VECTOR = [0x41, 0, 0xfd, 0x0f];
/** `i32x4.relaxed_dot_i8x16_i7x16_add_s`, the instruction that the relaxed build is for. */
const RELAXED_DOT = [0xfd, 0x93, 0x02];

/** A module whose only function has this body. */
function probe(...instructions: number[]): Uint8Array<ArrayBuffer> {
  const body = [0, ...instructions, 0x1a, 0x0b]; // No locals; drop; end.
  return Uint8Array.from([...PREAMBLE, 0x0a, body.length + 2, 1, body.length, ...body]);
}

/** The fastest first. */
const BUILDS: readonly Build[] = [
  {
    backend: 'relaxed-simd',
    probe: probe(...VECTOR, ...VECTOR, ...VECTOR, ...RELAXED_DOT),
    glue: () => import('./relaxed-simd/engine.js'),
    wasm: () => new URL('./relaxed-simd/engine_bg.wasm', import.meta.url),
  },
  {
    backend: 'simd128',
    probe: probe(...VECTOR),
    glue: () => import('./simd128/engine.js'),
    wasm: () => new URL('./simd128/engine_bg.wasm', import.meta.url),
  },
];

/** The backends whose instructions this engine knows, the fastest first. */
export function knownBackends(): Backend[] {
  return BUILDS.filter(isKnown).map((build) => build.backend);
}

function isKnown(build: Build): boolean {
  return typeof WebAssembly === 'object' && WebAssembly.validate(build.probe);
}

/** How often each program crashed here: what was made in an earlier life is gone, whoever's it was. */
const lives = new Map<Program, number>();
/** Those that run here. Their bindings are of the thread: all its analyzers share them. */
const running = new Set<Program>();

/** Which life the program is in. */
export function lifeOf(program: Program): number {
  return lives.get(program) ?? 0;
}

/**
 * Loads the fastest program that passes its self-test. To know an instruction is not to compute it right: there are
 * engines whose first answers of relaxed SIMD are wrong.
 */
export async function loadProgram(options: FetchOptions): Promise<{ backend: Backend; program: Program }> {
  if (kindOf(globalThis) === 'ServiceWorkerGlobalScope') {
    throw new MixedFeelingsError('unsupported', 'a service worker cannot import the program: create the analyzer in a page');
  }
  const builds = BUILDS.filter(isKnown);
  let failure: unknown;
  for (const build of builds) {
    const program = await importGlue(build);
    if (running.has(program)) return { backend: build.backend, program };
    const bytes = await fetchBytes(build.wasm(), 'wasm-fetch', options);
    try {
      program.initSync({ module: await WebAssembly.compile(bytes) });
      program.selfTest();
      running.add(program);
      return { backend: build.backend, program };
    } catch (error) {
      failure = error;
    }
  }
  throw new MixedFeelingsError(
    'unsupported',
    builds.length === 0
      ? 'this browser has no WebAssembly SIMD: Chrome 100, Firefox 97, Safari 16.4, Node 20 and later have it'
      : `no WebAssembly program passes its self-test here: ${shown(failure)}`,
    { cause: failure },
  );
}

/**
 * A call of `program`. Its errors come with a `code`; anything without one is a crash of it, after which it begins a new
 * life: engines of the one before are opened again when they are next asked.
 */
export function guard<T>(program: Program, call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
      throw new MixedFeelingsError(error.code, error.message);
    }
    lives.set(program, lifeOf(program) + 1);
    try {
      program.__wbg_reset_state();
    } catch {
      // No memory for another one now: then the next load tries.
      running.delete(program);
    }
    throw new MixedFeelingsError('crashed', `the program broke down: ${shown(error)}`, { cause: error });
  }
}

async function importGlue(build: Build): Promise<Program> {
  try {
    return await build.glue();
  } catch (cause) {
    const message = `the ${build.backend} program's bindings cannot be loaded: ${shown(cause)}`;
    throw new MixedFeelingsError('wasm-fetch', message, { cause, retriable: true });
  }
}
