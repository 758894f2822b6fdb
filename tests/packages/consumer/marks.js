// Types into the textarea of a <mixed-feelings>, and says what the element read.

import { posts } from './posts.js';

/** The outcome for the one post that is typed; `bound` when the page writes the label to the textarea, as the recipes do. */
export async function marks({ bound }) {
  try {
    const element = await until(() => document.querySelector('mixed-feelings'));
    await customElements.whenDefined('mixed-feelings');
    const textarea = await until(() => element.querySelector('textarea'));
    const failed = new Promise((_, reject) => element.addEventListener('error', ({ error }) => reject(error ?? new Error('the element fails'))));
    textarea.value = posts.text.text;
    textarea.dispatchEvent(new Event('input', { bubbles: true }));
    await Promise.race([failed, until(() => element.analysis)]);
    const { timings, ...answer } = element.analysis;
    if (bound) await until(() => textarea.dataset.label === answer.label);
    await until(() => /positive|not sure/i.test(element.shadowRoot.textContent));
    return { answers: { text: answer }, asked: ['text'] };
  } catch (error) {
    return { error: `${error?.code ?? error?.name}: ${error?.message}` };
  }
}

async function until(look, patience = 200_000) {
  const began = performance.now();
  for (;;) {
    const found = look();
    if (found) return found;
    if (performance.now() - began > patience) throw new Error(`it does not come to pass: ${look}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
