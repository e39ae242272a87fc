// The keyboard: a letter goes to a view, j and k walk along the links of a table, / finds. Nothing
// happens while somebody writes, or with Ctrl, Alt or Meta held.

import { h } from './dom.js';

const ways: Readonly<Record<string, string>> = {
  n: '#/',
  f: '#/findings',
  l: '#/list',
  r: '#/register',
  s: '#/sensor',
  a: '#/audit',
};

const help: readonly (readonly [string, string])[] = [
  ['/', 'find an address, a prefix or an entry'],
  ['n f l r s a', 'Now, Findings, List, Register, Sensor, Audit'],
  ['j k', 'next and previous row'],
  ['Enter', 'open it'],
  ['?', 'this help'],
  ['Esc', 'close what is open'],
];

export function addKeys(search: HTMLInputElement): void {
  addEventListener('keydown', (event) => {
    const { key, target } = event;
    const writes =
      target instanceof Element && target.closest('input, textarea, select, dialog') !== null;
    if (writes || event.ctrlKey || event.altKey || event.metaKey) return;
    if (key === '/') search.focus();
    else if (key === '?') showHelp();
    else if (key === 'j' || key === 'k') walk(key === 'j' ? 1 : -1);
    else if (ways[key] !== undefined) location.hash = ways[key];
    else return;
    event.preventDefault();
  });
}

/** Moves the focus along the first links of the rows. */
function walk(by: number): void {
  const links = [...document.querySelectorAll<HTMLElement>('main tbody tr, main li.row')]
    .map((row) => row.querySelector<HTMLElement>('a'))
    .filter((link) => link !== null);
  const row = document.activeElement?.closest('tr, li.row');
  const at = links.findIndex((link) => row?.contains(link) === true);
  const next = at < 0 ? (by > 0 ? 0 : links.length - 1) : at + by;
  links[next]?.focus();
  links[next]?.scrollIntoView({ block: 'nearest' });
}

function showHelp(): void {
  const close = h('button', { type: 'button', class: 'act' }, 'Close');
  const rows = help.map(([keys, words]) =>
    h('div', {}, h('dt', {}, h('kbd', {}, keys)), h('dd', {}, words)),
  );
  const dialog = h(
    'dialog',
    { 'aria-labelledby': 'help-title' },
    h('h2', { id: 'help-title' }, 'Keys'),
    h('dl', { class: 'facts keys' }, ...rows),
    close,
  );
  close.addEventListener('click', () => dialog.close());
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
