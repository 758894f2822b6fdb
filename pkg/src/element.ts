/**
 * `<mixed-feelings>`: shows what a post feels while it is written. To import this defines it; on a server it does nothing.
 *
 * @example
 * <mixed-feelings><textarea name="text"></textarea> <input type="file" name="photo"></mixed-feelings>
 */

import type { Progress } from './api.js';
import { join, leave, shared } from './element-shared.js';
import { View, WORDS } from './element-view.js';
import type { Analysis, AnalyzeOptions, Post } from './types.js';

/** Milliseconds without a key in which a post is taken for one to read. */
const PAUSE = 300;
/** How near the viewport an element is when the model starts to load. */
const NEAR = '200px';

const TEXTS = 'textarea,input:not([type]),input[type=text],input[type=search]';
const FILES = 'input[type=file]';
const NAME = 'mixed-feelings';

/** What it says, by key; the name of a label is a key too. */
export type Words = Partial<Record<WordKey, string>> & { readonly [label: string]: string };
type WordKey = 'unsure' | 'perhaps' | 'confidence' | 'valence' | 'contradiction' | 'loading' | 'progress' | 'error';

type Field = HTMLElement & { readonly value?: unknown; readonly files?: FileList | null };

/** A server has no elements; there the class is only a name. */
const Base: typeof HTMLElement = globalThis.HTMLElement ?? class {};

/**
 * Marks the text field and the file field inside it, or those whose ids are in `for`. They stay the page's own.
 *
 * Events: `analysis`, a `CustomEvent` with the {@link Analysis} as `detail` (`null` when the fields are empty again), and
 * `error`, an `ErrorEvent`.
 */
export class MixedFeelingsElement extends Base {
  /** What reads, in place of the analyzer that all elements of the page share. Set it before something is read. */
  declare analyzer: { analyze(post: Post, options: AnalyzeOptions): Promise<Analysis<string>> } | null;
  /** What it says in place of the English words, by their key; an attribute `word-KEY` does the same for one. */
  declare words: Words | null;

  #analysis: Analysis<string> | null = null;
  #view: View | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #call: AbortController | undefined;
  #connected: AbortController | undefined;

  /** The latest analysis; `null` while there is none. */
  get analysis(): Analysis<string> | null {
    return this.#analysis;
  }

  /** Reads the fields now. For what changes them from code, which fires no event. */
  async read(): Promise<void> {
    clearTimeout(this.#timer);
    this.#call?.abort();
    const { signal } = (this.#call = new AbortController());
    const post = this.#post();
    if (!post) return this.#settle(null);
    try {
      const analyzer = this.analyzer ?? (await shared());
      if (signal.aborted) return;
      const analysis = await analyzer.analyze(post, { signal });
      if (!signal.aborted) this.#settle(analysis);
    } catch (error) {
      if (signal.aborted) return;
      const message = error instanceof Error ? error.message : String(error);
      this.#analysis = null;
      this.#view?.tell(this.#say('error', { message }));
      this.dispatchEvent(new ErrorEvent('error', { error, message }));
    }
  }

  connectedCallback(): void {
    this.#view ??= new View(this.shadowRoot ?? this.attachShadow({ mode: 'open' }), this.#say);
    const { signal } = (this.#connected = new AbortController());
    join(this.#watch);
    // On the root, since fields come and go, and may lie elsewhere. A form that is sent or reset may empty them.
    const root = this.getRootNode();
    for (const type of ['input', 'change']) root.addEventListener(type, (event) => this.#isOurs(event.target) && this.#soon(), { signal });
    for (const type of ['reset', 'submit']) root.addEventListener(type, () => this.#soon(), { signal });
    if (this.getAttribute('preload') === 'none') return;
    const near = new IntersectionObserver(
      (seen) => {
        if (!seen.some(({ isIntersecting }) => isIntersecting)) return;
        near.disconnect();
        // The field may have been filled by the browser. What fails here is tried again, and told, when something is typed.
        if (this.#post()) void this.read();
        else if (!this.analyzer) shared().catch(() => {});
      },
      { rootMargin: NEAR },
    );
    near.observe(this);
    signal.addEventListener('abort', () => near.disconnect());
  }

  disconnectedCallback(): void {
    clearTimeout(this.#timer);
    this.#call?.abort();
    this.#connected?.abort();
    leave(this.#watch);
  }

  #soon(): void {
    clearTimeout(this.#timer);
    this.#call?.abort();
    this.#timer = setTimeout(() => void this.read(), PAUSE);
  }

  #settle(analysis: Analysis<string> | null): void {
    const isNew = analysis !== this.#analysis;
    this.#analysis = analysis;
    this.#view?.show(analysis);
    if (isNew) this.dispatchEvent(new CustomEvent('analysis', { detail: analysis, bubbles: true, composed: true }));
  }

  /** Loading is of interest to who has written something. */
  readonly #watch = ({ stage, loaded, total }: Progress): void => {
    if (this.analyzer || this.#analysis || stage === 'ready' || !this.#post()) return;
    const percent = total && Math.floor((loaded / total) * 100);
    this.#view?.tell(this.#say('loading'), percent == null ? '' : this.#say('progress', { percent }));
  };

  readonly #say = (key: string, values: Record<string, unknown> = {}): string => {
    const words = this.getAttribute(`word-${key}`) ?? this.words?.[key] ?? WORDS[key] ?? key;
    return words.replace(/\{(\w+)\}/g, (whole, name: string) => `${values[name] ?? whole}`);
  };

  /** Those that `for` names, then those inside. */
  #fields(selector: string): Field[] {
    const root = this.getRootNode() as Partial<DocumentOrShadowRoot & NonElementParentNode>;
    const named = (this.getAttribute('for') ?? '').split(/\s+/).map((id) => id && root.getElementById?.(id));
    return [...named, ...this.querySelectorAll<Field>(selector)].filter((field): field is Field => !!field);
  }

  #isOurs(target: unknown): boolean {
    return this.#fields(`${TEXTS},${FILES}`).includes(target as Field);
  }

  /** What the fields hold; nothing where they are empty. */
  #post(): Post | undefined {
    const text = this.#fields(TEXTS).find(({ files, value }) => !files && typeof value === 'string')?.value as string | undefined;
    const image = this.#fields(FILES).find(({ files }) => files?.length)?.files?.[0];
    return text?.trim() || image ? { text, image } : undefined;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'mixed-feelings': MixedFeelingsElement;
  }
}

// Not fields, which would take away what a page sets before this is defined; there at all, so that frameworks set them as properties.
Object.assign(MixedFeelingsElement.prototype, { analyzer: null, words: null });

const registry = globalThis.customElements;
if (registry && !registry.get(NAME)) registry.define(NAME, MixedFeelingsElement);
