// The memories of the programs that are instantiated in this thread, so that a test can look at them, or break one.

/** Of the engines, in their order; decoders come and go. */
export const memories = [];

const { Instance } = WebAssembly;
WebAssembly.Instance = class extends Instance {
  constructor(module, imports) {
    super(module, imports);
    if (this.exports.memory && this.exports.engine_new) memories.push(this.exports.memory);
  }
};

/** Fills a memory: whatever is called next in its program traps. */
export function fill(memory) {
  new Uint8Array(memory.buffer).fill(0xff);
}
