// The audit trail, the latest first: who changed what, when and why.

import { get } from './api.js';
import { h, keep } from './dom.js';
import { age, ago, type Column, entryLink, nothing, table, tableRow } from './parts.js';
import type { AuditRecord } from './types.js';
import type { Desk, Place, View } from './view.js';
import { bare, count } from './words.js';

const shown = 60;

interface Trail {
  readonly length: number;
  readonly records: readonly AuditRecord[];
}

const columns: readonly Column<AuditRecord>[] = [
  { head: 'No.', cell: ({ sequence }) => count(sequence), kind: 'number' },
  { head: 'When', cell: ({ time }) => ago(time) },
  { head: 'Who', cell: ({ actor }) => actor },
  { head: 'Did', cell: ({ action }) => action },
  { head: 'About', cell: ({ id, cidr }) => subject(id, cidr), kind: 'wide' },
  { head: 'Note', cell: ({ detail }) => detail, kind: 'wide' },
];

function subject(id: string, cidr: string): HTMLElement {
  return id.startsWith('bl_')
    ? entryLink(id, cidr === '' ? id : bare(cidr))
    : h('span', { class: 'code' }, id);
}

export async function auditView(_: Place, desk: Desk): Promise<View> {
  const head = h('h1', {}, 'Audit');
  if (!desk.mayOperate) {
    return {
      title: 'Audit',
      element: h(
        'div',
        {},
        head,
        nothing('Your token reads only; the audit trail is for those with "operate".'),
      ),
    };
  }
  const { element, body } = table('The audit trail', columns);
  const none = nothing('Nothing was changed yet.');
  const told = h('p', { class: 'soft' });
  const load = async (): Promise<void> => {
    const { length } = await get<Trail>(`/v1/audit?from=${Number.MAX_SAFE_INTEGER}`);
    const from = Math.max(1, length - shown + 1);
    const { records } = await get<Trail>(`/v1/audit?from=${from}`);
    keep(
      body,
      [...records].reverse().slice(0, shown),
      ({ hash }) => hash,
      (record) => tableRow(columns, record),
    );
    none.hidden = records.length > 0;
    element.hidden = records.length === 0;
    const some = count(Math.min(shown, length));
    told.textContent = `${some} of ${count(length)} records, each sealed with the one before it.`;
    age(body);
  };
  await load();
  return { title: 'Audit', element: h('div', {}, head, told, element, none), refresh: load };
}
