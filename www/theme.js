// Dark or light, before the first paint: the reader's own choice if there is one, else the system's.
// A classic script on purpose: a module would run after the first paint and flash.
(() => {
  const root = document.documentElement;
  const system = matchMedia('(prefers-color-scheme: dark)');
  const stored = () => {
    try {
      return localStorage.getItem('theme');
    } catch {
      return null; // storage may be forbidden; the choice then lasts as long as the page
    }
  };
  const current = () => root.dataset.theme ?? (system.matches ? 'dark' : 'light');

  const choice = stored();
  if (choice === 'dark' || choice === 'light') root.dataset.theme = choice;

  document.addEventListener('DOMContentLoaded', () => {
    const button = document.getElementById('theme');
    const name = () => {
      button.textContent = current() === 'dark' ? 'Light' : 'Dark';
      button.setAttribute('aria-label', `${button.textContent} colours`);
    };
    button.addEventListener('click', () => {
      root.dataset.theme = current() === 'dark' ? 'light' : 'dark';
      try {
        localStorage.setItem('theme', root.dataset.theme);
      } catch {
        // see above
      }
      name();
    });
    system.addEventListener('change', name);
    name();
  });
})();
