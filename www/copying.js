// The answer as the package gives it, for whoever wants to look at it elsewhere.

const SHOWN = 2400; // ms in which the button says what it did

/** The analysis as JSON; `labels` are the page's addition and are left out. */
export function asJson({ labels: _, ...analysis }) {
  return JSON.stringify(analysis, null, 2);
}

/** Makes `button` copy what `text()` gives, and say so for a moment. */
export function copyOnClick(button, text) {
  const name = button.textContent;
  let timer = 0;
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = 'Copied';
    } catch {
      button.textContent = 'The browser did not allow it'; // no permission, or not over https
    }
    clearTimeout(timer);
    timer = setTimeout(() => (button.textContent = name), SHOWN);
  });
}
