/** The package's own files, as seen from `dist/`, where the bundled scripts lie: literal paths, so that bundlers find them. */

import type { Assets } from './platform.js';

export const assets: Assets = {
  bundle: () => new URL('../mixed-feelings-small.safetensors', import.meta.url),
  wasm: {
    'relaxed-simd': () => new URL('./relaxed-simd/engine_bg.wasm', import.meta.url),
    simd128: () => new URL('./simd128/engine_bg.wasm', import.meta.url),
    webgpu: () => new URL('./gpu/engine_bg.wasm', import.meta.url),
    decoder: () => new URL('./decoder.wasm', import.meta.url),
  },
};
