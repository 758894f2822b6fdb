// A decoder's program that never returns.

const name = (text) => [text.length, ...Buffer.from(text)];
const section = (id, ...bytes) => [id, bytes.length, ...bytes];

/** It has a memory, and an `allocate`, which is called first, that is an endless loop. */
export const ENDLESS = Uint8Array.from([
  ...Buffer.from('\0asm\x01\0\0\0', 'latin1'),
  ...section(1, 1, 0x60, 1, 0x7f, 1, 0x7f), // one type: (i32) -> i32
  ...section(3, 1, 0),
  ...section(5, 1, 0, 1), // one memory of one page
  ...section(7, 2, ...name('memory'), 2, 0, ...name('allocate'), 0, 0),
  ...section(10, 1, 8, 0, 0x03, 0x40, 0x0c, 0, 0x0b, 0x00, 0x0b), // loop br 0 end unreachable
]);
