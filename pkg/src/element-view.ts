/** What the element shows: built once in its shadow root, then changed where something has changed. */

import type { Words } from './element.js';
import type { Analysis } from './types.js';

/** What the element says where nothing else is given; `{name}` stands for what is put in. */
export const WORDS: Words = {
  /** In place of a label that is too uncertain. */
  unsure: 'not sure',
  /** Beside it. */
  perhaps: 'perhaps {label}',
  /** Beside a label: how probable it is. */
  confidence: '{percent}%',
  /** The bar, for who cannot see it; from -1 to 1. */
  valence: 'valence {value}, from -1, unpleasant, to 1, pleasant',
  /** When text and picture point opposite ways. */
  contradiction: 'Text and picture disagree: the words are {text}, the picture is {image}.',
  /** While the model is loaded. */
  loading: 'Getting ready to read',
  /** How far loading has come. */
  progress: '{percent}%',
  /** When a post cannot be read. */
  error: 'This cannot be read: {message}',
};

/** Finds the words for `key`. */
type Say = (key: string, values?: Record<string, unknown>) => string;

// Colours are mixed with that of the page's text, so they suit whatever it stands on, light or dark.
const STYLE = `:host{display:block}
:host([hidden]){display:none}
:host([beside]){display:flex;flex-wrap:wrap;gap:0 1em;align-items:end}
[part=reading]{display:flex;flex-wrap:wrap;align-items:baseline;gap:0 .7em;min-height:1.6em;padding-block:.35em;font-size:.9375em;line-height:1.6;--c:var(--mixed-feelings-neutral,#7d7890)}
[data-tone=negative]{--c:var(--mixed-feelings-negative,#6a5fe0)}
[data-tone=positive]{--c:var(--mixed-feelings-positive,#c07a00)}
[part=label]{font-weight:600;color:color-mix(in oklab,var(--c) 60%,currentColor)}
[part=bar]{position:relative;align-self:center;width:var(--mixed-feelings-bar-width,5.5em);height:.3em;border-radius:1em;background:color-mix(in srgb,currentColor 16%,transparent)}
[part=bar]::before{content:'';position:absolute;inset:-.25em auto -.25em 50%;width:1px;background:currentColor;opacity:.5}
[part=fill]{position:absolute;inset-block:0;border-radius:inherit;background:var(--c)}
[part=note]{flex-basis:100%}
[part]:empty:not([part=fill]),[part=bar]:not([aria-label]){display:none}
@media(prefers-reduced-motion:no-preference){[part=fill]{transition:inset-inline-start .3s,width .3s,background .3s}}
@media(forced-colors:active){[part=bar]{outline:1px solid}[part=fill]{background:CanvasText}}`;

let sheet: CSSStyleSheet | undefined;

export class View {
  readonly #reading = part('div', 'reading');
  // Two that are read out, each only when its own words change; numbers change with every word, so they are not.
  readonly #label = part('span', 'label', 'status');
  readonly #note = part('span', 'note', 'status');
  readonly #bar = part('span', 'bar', 'img');
  readonly #fill = part('span', 'fill');
  readonly #detail = part('span', 'detail');
  readonly #say: Say;

  constructor(root: ShadowRoot, say: Say) {
    this.#say = say;
    // Not a <style>, which a content security policy may forbid.
    if (!sheet) (sheet = new CSSStyleSheet()).replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    this.#bar.append(this.#fill);
    this.#reading.append(this.#label, this.#bar, this.#detail, this.#note);
    root.append(document.createElement('slot'), this.#reading);
  }

  /** Shows an analysis, or that there is none. */
  show(analysis: Analysis<string> | null): void {
    const say = this.#say;
    if (!analysis) {
      this.#bar.removeAttribute('aria-label');
      return this.#write('', '', '');
    }
    const { label, valence, confidence, sure, text, image, contradicts } = analysis;
    const value = Math.round(valence * 100) / 100 || 0; // no -0
    this.#reading.dataset.tone = sure ? toneOf(label, valence) : 'neutral';
    this.#bar.setAttribute('aria-label', say('valence', { value }));
    this.#fill.style.insetInlineStart = `${50 + Math.min(value, 0) * 50}%`;
    this.#fill.style.width = `${Math.abs(value) * 50}%`;
    this.#write(
      say(sure ? label : 'unsure'),
      sure ? say('confidence', { percent: Math.round(confidence * 100) }) : say('perhaps', { label: say(label) }),
      contradicts && text && image ? say('contradiction', { text: say(text.label), image: say(image.label) }) : '',
    );
  }

  /** Says something in place of an analysis; `detail` is only shown. */
  tell(note: string, detail = ''): void {
    this.show(null);
    this.#write('', detail, note);
  }

  #write(label: string, detail: string, note: string): void {
    write(this.#label, label);
    write(this.#detail, detail);
    write(this.#note, note);
  }
}

/** A label of another bundle has the tone of where it lies. */
function toneOf(label: string, valence: number): string {
  if (/^(negative|neutral|positive)$/.test(label)) return label;
  return valence > 1 / 3 ? 'positive' : valence < -1 / 3 ? 'negative' : 'neutral';
}

function part(tag: string, name: string, role?: string): HTMLElement {
  const element = document.createElement(tag);
  element.part.add(name);
  if (role) element.setAttribute('role', role);
  return element;
}

/** Only what is new: a status that is written again is read out again. */
function write(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
