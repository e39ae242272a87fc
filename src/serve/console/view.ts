// What a view is: a page within the page, with its own address behind the #.

import type { State } from './types.js';

export interface View {
  readonly title: string;
  readonly element: HTMLElement;
  /** The state of the daemon came anew, every few seconds. */
  readonly refresh?: (state: State) => void | Promise<void>;
}

/** Where the page is: `#/source/203.0.113.9?x=y`. */
export interface Place {
  readonly name: string;
  /** What follows the name, decoded; empty: nothing. */
  readonly what: string;
  readonly query: URLSearchParams;
}

export function placeOf(hash: string): Place {
  const [path = '', search = ''] = hash.replace(/^#\/?/, '').split('?');
  const slash = path.indexOf('/');
  const name = slash < 0 ? path : path.slice(0, slash);
  const rest = slash < 0 ? '' : path.slice(slash + 1);
  return { name, what: decoded(rest), query: new URLSearchParams(search) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** What views may ask of the page. */
export interface Desk {
  /** The latest state. */
  readonly state: State;
  readonly mayOperate: boolean;
  /** Says a line to everybody, also to those who listen. */
  tell(text: string, tone: 'good' | 'bad'): void;
  /** Shows the view of this place again, with what is true now. */
  again(): void;
}
