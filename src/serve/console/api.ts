// Asks the daemon. The token of whoever sits here lies in this tab alone and goes with each
// request; where the daemon asks for none, none is sent.

/** What went wrong, in words for the page; `status` 0: the daemon was not reached. */
export class Trouble extends Error {
  override name = 'Trouble';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const place = 'mailweir.token';
const patience_ms = 15_000;

export function hasToken(): boolean {
  return sessionStorage.getItem(place) !== null;
}

/** Uses a token from now on; null: none. */
export function useToken(token: string | null): void {
  if (token === null) sessionStorage.removeItem(place);
  else sessionStorage.setItem(place, token);
}

export function get<Answer>(path: string): Promise<Answer> {
  return ask<Answer>('GET', path);
}

export function post<Answer>(path: string, body: object): Promise<Answer> {
  return ask<Answer>('POST', path, body);
}

export function patch<Answer>(path: string, body: object): Promise<Answer> {
  return ask<Answer>('PATCH', path, body);
}

/** A path with its query; what is empty is left out. */
export function withQuery(path: string, query: Readonly<Record<string, string | number>>): string {
  const words = Object.entries(query).filter(([, value]) => value !== '');
  const text = new URLSearchParams(words.map(([name, value]) => [name, String(value)])).toString();
  return text === '' ? path : `${path}?${text}`;
}

async function ask<Answer>(method: string, path: string, body?: object): Promise<Answer> {
  const token = sessionStorage.getItem(place);
  const headers: Record<string, string> = { accept: 'application/json' };
  if (token !== null) headers['authorization'] = `Bearer ${token}`;
  if (body !== undefined) headers['content-type'] = 'application/json';
  const init: RequestInit = {
    method,
    headers,
    cache: 'no-store',
    credentials: 'omit',
    signal: AbortSignal.timeout(patience_ms),
    ...(body !== undefined && { body: JSON.stringify(body) }),
  };
  let answer: Response;
  try {
    answer = await fetch(path, init);
  } catch {
    throw new Trouble(0, 'The daemon does not answer. What is shown is what it said last.');
  }
  const isJson = /json/.test(answer.headers.get('content-type') ?? '');
  const said: unknown = isJson ? await answer.json().catch(() => null) : null;
  if (answer.ok) return said as Answer;
  const { title, detail } = (said ?? {}) as { title?: string; detail?: string };
  throw new Trouble(answer.status, sentence(detail ?? title ?? `status ${answer.status}`));
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
}
