// A fixed piece of work of about a millisecond: when it takes longer, something else had the processor.

/** Each step needs the one before, so that it takes the same number of cycles on any day. */
const STEPS = 600_000;

let sink = 1;

/** Milliseconds. */
export function calibrate() {
  const began = performance.now();
  let x = sink | 1;
  for (let i = 0; i < STEPS; i++) x = (Math.imul(x, 1664525) + 1013904223) | 0;
  sink = x;
  return performance.now() - began;
}

/** Until the engine has compiled it as well as it will. */
export function warmUpCalibration() {
  for (let i = 0; i < 200; i++) calibrate();
}
