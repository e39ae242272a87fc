// The page: its bar, which view is shown, and the clock that asks the daemon how it is. Views are
// in files of their own; this is the only one that knows all of them.

import { get, hasToken, Trouble, useToken } from './api.js';
import { auditView } from './audit.js';
import { h, put, replace, say } from './dom.js';
import { entryView } from './entry.js';
import { findingsView } from './findings.js';
import { addKeys } from './keys.js';
import { listView } from './list.js';
import { nowView } from './now.js';
import { setNow } from './parts.js';
import { registerView } from './register.js';
import { sensorView } from './sensor.js';
import { sourceView } from './source.js';
import type { State } from './types.js';
import { type Desk, type Place, placeOf, type View } from './view.js';

const every_ms = 4000;

const views: Readonly<Record<string, (place: Place, desk: Desk) => Promise<View>>> = {
  '': nowView,
  findings: findingsView,
  list: listView,
  entry: entryView,
  source: sourceView,
  register: registerView,
  audit: auditView,
  sensor: sensorView,
};

const tabs = [
  ['', 'Now'],
  ['findings', 'Findings'],
  ['list', 'List'],
  ['register', 'Register'],
  ['sensor', 'Sensor'],
  ['audit', 'Audit'],
] as const;

class Page implements Desk {
  readonly #main = document.querySelector('main')!;
  readonly #links = new Map<string, HTMLAnchorElement>();
  readonly #sensor = h('span', { class: 'sensor' });
  readonly #mode = h('span', { class: 'mode' });
  readonly #leave = h('button', { type: 'button', class: 'plain', hidden: true }, 'Forget token');
  readonly #stale = h('p', { class: 'stale', role: 'alert' });
  readonly #said = h('p', { class: 'said', role: 'status' });
  readonly search = h('input', {
    id: 'search',
    type: 'search',
    placeholder: 'Address, prefix or entry',
    'aria-label': 'Find an address, a prefix or an entry',
    autocomplete: 'off',
    spellcheck: 'false',
    maxlength: 60,
  });
  #view: View | null = null;
  #state: State | null = null;
  /** Which of several loads is the last: an answer that comes late is not shown. */
  #turn = 0;

  get state(): State {
    return this.#state!;
  }

  get mayOperate(): boolean {
    return this.state.me.scopes.includes('operate');
  }

  async start(): Promise<void> {
    this.#bar();
    addKeys(this.search);
    document.querySelector('.skip')?.addEventListener('click', (event) => {
      // The place behind the # is that of the view.
      event.preventDefault();
      this.#main.focus();
    });
    addEventListener('hashchange', () => {
      // A question belongs to the view that asked it.
      for (const dialog of document.querySelectorAll('dialog')) dialog.close();
      void this.#show(true);
    });
    setInterval(() => void this.#beat(), every_ms);
    document.addEventListener('visibilitychange', () => void this.#beat());
    await this.#show(false);
  }

  tell(text: string, tone: 'good' | 'bad'): void {
    this.#said.className = `said ${tone}`;
    say(this.#said, text);
    setTimeout(() => {
      if (this.#said.textContent === text) say(this.#said, '');
    }, 12_000);
  }

  again(): void {
    void this.#show(true);
  }

  #bar(): void {
    const form = h('form', { role: 'search', class: 'search' }, this.search);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const wanted = this.search.value.trim();
      if (wanted === '') return;
      location.hash = wanted.startsWith('bl_')
        ? `#/entry/${encodeURIComponent(wanted)}`
        : `#/source/${encodeURIComponent(wanted)}`;
      this.search.value = '';
    });
    const nav = h('nav', { 'aria-label': 'Views' });
    for (const [name, words] of tabs) {
      const link = h('a', { href: `#/${name}` }, words);
      this.#links.set(name, link);
      nav.append(link);
    }
    this.#leave.addEventListener('click', () => {
      useToken(null);
      location.reload();
    });
    const brand = h(
      'a',
      { class: 'brand', href: '#/' },
      h('img', { src: '/console/icon.svg', alt: '', width: 26, height: 26 }),
      h('span', {}, 'Mailweir'),
    );
    put(
      document.querySelector('#bar')!,
      h('div', { class: 'row' }, brand, this.#sensor, this.#mode, form, this.#leave),
      nav,
    );
    this.#main.before(this.#stale, this.#said);
  }

  /** The view that the address names, with what is true now. */
  async #show(isMove: boolean): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    const place = placeOf(location.hash);
    this.#main.setAttribute('aria-busy', 'true');
    try {
      await this.#ask();
      const make = views[place.name] ?? nowView;
      const view = await make(place, this);
      if (turn !== this.#turn) return;
      this.#view = view;
      document.title = `${view.title} · ${this.state.sensor ?? 'Mailweir'}`;
      replace(this.#main, view.element);
      if (!isMove) performance.mark('first-view');
      for (const [name, link] of this.#links) {
        if (name === place.name) link.setAttribute('aria-current', 'page');
        else link.removeAttribute('aria-current');
      }
      if (isMove) this.#arrive();
    } catch (error) {
      if (turn === this.#turn) this.#fail(error);
    } finally {
      this.#main.removeAttribute('aria-busy');
    }
  }

  /** Who moves by keyboard or listens is taken to the new view's head. */
  #arrive(): void {
    scrollTo(0, 0);
    const head = this.#main.querySelector('h1');
    head?.setAttribute('tabindex', '-1');
    head?.focus({ preventScroll: true });
  }

  #fail(error: unknown): void {
    this.#view = null;
    if (error instanceof Trouble && error.status === 401) {
      replace(this.#main, this.#login(hasToken() ? 'This token is not known here.' : ''));
      return;
    }
    const text = error instanceof Trouble ? error.message : `The console failed: ${String(error)}`;
    const title =
      error instanceof Trouble && error.status === 404 ? 'Not here' : 'That did not work';
    const again = h('button', { type: 'button', class: 'act' }, 'Try again');
    again.addEventListener('click', () => this.again());
    replace(this.#main, h('div', {}, h('h1', {}, title), h('p', {}, text), again));
  }

  #login(problem: string): HTMLElement {
    const input = h('input', {
      id: 'token',
      type: 'password',
      required: true,
      autocomplete: 'off',
      spellcheck: 'false',
    });
    const form = h(
      'form',
      { class: 'card login' },
      h('h1', {}, 'Your token'),
      h(
        'p',
        {},
        'The daemon asks who you are. "mailweir block token" makes tokens: "read" shows ' +
          'everything, "operate" also releases and allows.',
      ),
      h('div', { class: 'field' }, h('label', { for: 'token' }, 'Token'), input),
      h('p', { class: 'hint' }, 'It stays in this tab and is forgotten with it.'),
      problem === '' ? null : h('p', { class: 'problem', role: 'alert' }, problem),
      h('button', { type: 'submit', class: 'act' }, 'Go on'),
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      useToken(input.value.trim());
      this.again();
    });
    return form;
  }

  async #ask(): Promise<void> {
    const state = await get<State>('/v1/state');
    this.#state = state;
    setNow(state.time);
    say(this.#stale, '');
    say(this.#sensor, state.sensor ?? '');
    const mode = state.mode ?? 'unknown';
    say(this.#mode, modeWords[mode] ?? mode);
    this.#mode.className = `mode ${mode}`;
    this.#leave.hidden = !hasToken();
  }

  async #beat(): Promise<void> {
    if (document.hidden || this.#view === null) return;
    const turn = this.#turn;
    try {
      await this.#ask();
      if (turn === this.#turn) await this.#view?.refresh?.(this.state);
    } catch (error) {
      if (error instanceof Trouble && error.status === 401) this.#fail(error);
      else if (error instanceof Trouble) say(this.#stale, error.message);
      else throw error;
    }
  }
}

const modeWords: Readonly<Record<string, string>> = {
  observe: 'observes only',
  limit: 'limits',
  enforce: 'limits and blocks',
};

await new Page().start();
