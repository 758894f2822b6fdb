// How many posts have which label: bars that filter the table when they are pressed.

import { percent } from '../sentences.js';
import { tint } from '../tones.js';
import { KINDS } from './records.js';

/** Draws into `host` a bar a label, and into `chips` a chip for each other kind; `chosen({ label, kind })` when one is pressed. */
export function createDistribution(host, chips, chosen) {
  const pressed = (button) => button.getAttribute('aria-pressed') === 'true';
  const press = (event, name) => {
    const button = event.target.closest('button');
    if (button) chosen({ label: null, kind: null, [name]: pressed(button) ? null : button.value });
  };
  host.addEventListener('click', (event) => press(event, 'label'));
  chips.addEventListener('click', (event) => press(event, 'kind'));

  /** The button of `value` in `parent`, made when it is first needed: one that has the focus must stay. */
  function buttonOf(parent, value, make) {
    let button = [...parent.querySelectorAll('button')].find((one) => one.value === value);
    if (!button) {
      button = make();
      button.type = 'button';
      button.value = value;
      parent.append(button);
    }
    return button;
  }

  return function show({ labels: counts, kinds, read }, labels, { label, kind }) {
    const most = Math.max(1, ...counts.values());
    for (const [name, number] of counts) {
      const button = buttonOf(host, name, () => {
        const bar = document.createElement('button');
        bar.className = 'share';
        tint(bar, name, labels);
        bar.append(...['name', 'bar', 'number'].map((part) => Object.assign(document.createElement('span'), { className: part })));
        bar.children[1].append(document.createElement('span'));
        return bar;
      });
      const [title, bar, told] = button.children;
      title.textContent = name;
      bar.firstElementChild.style.width = `${(100 * number) / most}%`;
      told.textContent = read ? `${number} · ${percent(number / read)}` : '0';
      button.setAttribute('aria-pressed', String(label === name));
    }
    for (const [name, number] of kinds) {
      const button = buttonOf(chips, name, () => Object.assign(document.createElement('button'), { className: 'plain' }));
      button.textContent = `${number} ${KINDS[name].name}`;
      button.hidden = number === 0 && kind !== name;
      button.setAttribute('aria-pressed', String(kind === name));
    }
  };
}
