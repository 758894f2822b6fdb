/** Which of the two wasm programs this engine runs, and whether it runs it correctly. */

import type { Backend } from './api.js';
import { bindings, type Bindings } from './bindings.js';
import { MixedFeelingsError, shown } from './errors.js';
import { fetchBytes, type FetchOptions } from './fetch.js';
import { kindOf } from './kinds.js';
import type { WasmName } from './platform.js';

/** A program with a memory of its own. */
export interface Program extends Bindings {
  readonly memory: WebAssembly.Memory;
}

/** A wasm file: compiled, its absolute URL, or its bytes. */
export type WasmSource = WebAssembly.Module | string | Blob;

/** Those that there are. */
export type WasmSources = Readonly<Partial<Record<WasmName, WasmSource>>>;

interface Build {
  readonly backend: Backend;
  /** A module that is valid only where this build's instructions are known. */
  readonly probe: Uint8Array<ArrayBuffer>;
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
  { backend: 'relaxed-simd', probe: probe(...VECTOR, ...VECTOR, ...VECTOR, ...RELAXED_DOT) },
  { backend: 'simd128', probe: probe(...VECTOR) },
];

/** The backends whose instructions this engine knows, the fastest first. */
export function knownBackends(): Backend[] {
  return BUILDS.filter(isKnown).map((build) => build.backend);
}

function isKnown(build: Build): boolean {
  return typeof WebAssembly === 'object' && WebAssembly.validate(build.probe);
}

/**
 * Loads the fastest program that passes its self-test. To know an instruction is not to compute it right: there are
 * engines whose first answers of relaxed SIMD are wrong.
 */
export async function loadProgram(
  sources: WasmSources,
  options: FetchOptions,
): Promise<{ backend: Backend; program: Program; reason: string }> {
  const passed: string[] = [];
  let failure: unknown;
  for (const build of BUILDS) {
    const { backend } = build;
    const source = sources[backend];
    if (source === undefined || (!isModule(source) && !isKnown(build))) {
      passed.push(`${backend}: ${source === undefined ? 'not given' : 'its instructions are not known here'}`);
      continue;
    }
    try {
      const program = started(await compiled(backend, source, options));
      return { backend, program, reason: ['the fastest that passes its self-test', ...passed].join('; ') };
    } catch (error) {
      if (error instanceof MixedFeelingsError) throw error;
      failure = error;
      passed.push(`${backend}: ${shown(error)}`);
    }
  }
  if (BUILDS.every(({ backend }) => sources[backend] === undefined)) {
    throw new MixedFeelingsError('bad-input', 'no program is given, and none comes along here: give wasm: { simd128, decoder }');
  }
  throw new MixedFeelingsError(
    'unsupported',
    failure === undefined
      ? 'this browser has no WebAssembly SIMD: Chrome 100, Firefox 97, Safari 16.4, Node 20 and later have it'
      : `no WebAssembly program passes its self-test here: ${passed.join('; ')}`,
    { cause: failure },
  );
}

/** A program that gave the right answer to a question. */
function started(module: WebAssembly.Module): Program {
  const made = bindings();
  const { memory } = made.initSync({ module });
  made.selfTest();
  return Object.assign(made, { memory });
}

/** By their URLs: compiled once in this thread, however many analyzers there are, and however often they come up again. */
const modules = new Map<string, WebAssembly.Module>();

/**
 * The compiled program of this name.
 *
 * @throws {MixedFeelingsError} when it does not arrive; what the engine says when it does not compile.
 */
export async function compiled(
  name: WasmName,
  source: WasmSource | undefined,
  options: FetchOptions,
): Promise<WebAssembly.Module> {
  if (source === undefined) {
    throw new MixedFeelingsError('unsupported', `no ${name} is given, and none comes along here: give wasm: { ${name} }`);
  }
  if (isModule(source)) return source as WebAssembly.Module;
  if (typeof source !== 'string') return WebAssembly.compile(await (source as Blob).arrayBuffer());
  const known = modules.get(source);
  if (known) return known;
  const module = await WebAssembly.compile(await fetchBytes(new URL(source), 'wasm-fetch', options));
  modules.set(source, module);
  return module;
}

/** Told by its tag: TypeScript takes anything for a module, and it may be of another realm. */
export function isModule(source: unknown): boolean {
  return kindOf(source) === 'WebAssembly.Module';
}

/** A call of a program. Its errors come with a `code`; anything without one is a crash, after which it must not be called. */
export function guard<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw told(error);
  }
}

/** What a program threw, as it is told. */
export function told(error: unknown): MixedFeelingsError {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    return new MixedFeelingsError(error.code, error.message);
  }
  return new MixedFeelingsError('crashed', `the program broke down: ${shown(error)}`, { cause: error });
}
