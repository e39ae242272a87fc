// What a person does: release, allow, extend, appeal, answer. Each is a dialog that says what will
// happen, asks for a reason, and does nothing until its button is pressed; the daemon writes it to
// the audit trail with the name of the token.

import { patch, post, Trouble } from './api.js';
import { type Child, h, replace } from './dom.js';
import type { Entry } from './types.js';
import type { Desk } from './view.js';
import { bare } from './words.js';

interface Field {
  readonly name: string;
  readonly label: string;
  readonly kind: 'text' | 'area' | 'check' | 'number' | 'choice';
  readonly value?: string;
  readonly hint?: string;
  readonly optional?: boolean;
  readonly max?: number;
  readonly choices?: readonly (readonly [string, string])[];
}

export interface Question {
  readonly title: string;
  readonly says: readonly string[];
  readonly fields: readonly Field[];
  /** On the button; it names the act. */
  readonly button: string;
  readonly tone?: 'bad';
  readonly act: (answers: Readonly<Record<string, string>>) => Promise<string>;
}

/** Opens a dialog and acts when it is confirmed; says afterwards what came of it. */
export function askPerson(question: Question, desk: Desk): void {
  const { title, says, fields, button, tone } = question;
  const problem = h('p', { class: 'problem', role: 'alert' });
  const confirm = h('button', { type: 'submit', class: `act ${tone ?? ''}` }, button);
  const cancel = h('button', { type: 'button', class: 'plain' }, 'Cancel');
  const form = h(
    'form',
    {},
    ...fields.map(fieldOf),
    problem,
    h('div', { class: 'buttons' }, confirm, cancel),
  );
  const dialog = h(
    'dialog',
    { 'aria-labelledby': 'dialog-title' },
    h('h2', { id: 'dialog-title' }, title),
    ...says.map((text) => h('p', {}, text)),
    form,
  );
  cancel.addEventListener('click', () => dialog.close());
  dialog.addEventListener('close', () => dialog.remove());
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    confirm.disabled = true;
    replace(problem);
    question.act(answersOf(form)).then(
      (said) => {
        dialog.close();
        desk.tell(said, 'good');
        desk.again();
      },
      (error: unknown) => {
        confirm.disabled = false;
        replace(problem, error instanceof Trouble ? error.message : String(error));
      },
    );
  });
  document.body.append(dialog);
  dialog.showModal();
}

function fieldOf({
  name,
  label,
  kind,
  value = '',
  hint,
  optional,
  max = 500,
  choices,
}: Field): HTMLElement {
  const id = `field-${name}`;
  const common = {
    id,
    name,
    required: optional !== true,
    'aria-describedby': hint === undefined ? null : `${id}-hint`,
  };
  const help = hint === undefined ? null : h('p', { class: 'hint', id: `${id}-hint` }, hint);
  const caption = h('label', { for: id }, label);
  if (kind === 'check') {
    const box = h('input', { ...common, type: 'checkbox', required: false });
    return h('div', { class: 'field check' }, box, caption, help);
  }
  let input: Child;
  if (kind === 'area') input = h('textarea', { ...common, rows: 3, maxlength: max }, value);
  else if (kind === 'choice') {
    const options = (choices ?? []).map(([key, words]) =>
      h('option', { value: key, selected: key === value }, words),
    );
    input = h('select', common, ...options);
  } else {
    const type =
      kind === 'number' ? { type: 'number', min: 1, max } : { type: 'text', maxlength: max };
    input = h('input', { ...common, ...type, value, autocomplete: 'off' });
  }
  return h('div', { class: 'field' }, caption, input, help);
}

function answersOf(form: HTMLFormElement): Record<string, string> {
  const answers: Record<string, string> = {};
  for (const [name, value] of new FormData(form)) answers[name] = String(value).trim();
  return answers;
}

const reason: Field = {
  name: 'reason',
  label: 'Reason',
  kind: 'area',
  hint: 'Kept in the audit trail with your name. No address of a mailbox, please.',
};

/** The buttons under an entry; for those who may only read, a line that says so. */
export function operations(entry: Entry, desk: Desk): HTMLElement {
  const { ended, action, appeal } = entry;
  if (!desk.mayOperate) {
    return h(
      'p',
      { class: 'soft' },
      'Your token reads only; somebody with "operate" can change this entry.',
    );
  }
  const button = (text: string, question: () => Question, tone = ''): HTMLElement => {
    const element = h('button', { type: 'button', class: `act ${tone}` }, text);
    element.addEventListener('click', () => askPerson(question(), desk));
    return element;
  };
  const buttons: HTMLElement[] = [];
  if (ended === null) {
    buttons.push(button('Release …', () => releaseQuestion(entry)));
    if (entry.until !== null)
      buttons.push(button('Change its end …', () => extendQuestion(entry), 'quiet'));
  }
  if (action !== 'allow') {
    buttons.push(
      button('Allow this source …', () => allowQuestion(entry.cidr, desk.state.me.name), 'quiet'),
    );
  }
  if (ended === null && appeal.state === 'open') {
    buttons.push(button('Answer the appeal: it stays …', () => upholdQuestion(entry), 'quiet'));
  } else if (ended === null && action !== 'allow') {
    buttons.push(button('File an appeal …', () => appealQuestion(entry), 'quiet'));
  }
  return h('div', { class: 'buttons' }, ...buttons);
}

function releaseQuestion({ id, cidr, action, rule }: Entry): Question {
  const source = bare(cidr);
  const learns =
    rule === null
      ? []
      : [`For a day ${rule.id} only observes it, and two steps of its ladder are forgiven.`];
  return {
    title: `Release ${source}?`,
    says: [
      action === 'allow'
        ? 'From now on it can be limited and blocked again like everybody else.'
        : 'It leaves the list at once; consumers follow when they fetch the list next.',
      ...(action === 'allow' ? [] : learns),
    ],
    fields: [
      reason,
      ...(action === 'allow'
        ? []
        : [
            {
              name: 'wrong',
              label: 'It was wrong: the entry should never have been there',
              kind: 'check',
              hint: 'Counts against the rule; after three in a week the rule only observes.',
            } as const,
          ]),
    ],
    button: `Release ${source}`,
    act: async ({ reason = '', wrong }) => {
      await post(`/v1/entries/${id}/release`, {
        reason,
        ...(wrong !== undefined && { wrong: true }),
      });
      return `${source} is released. It stands in the audit trail.`;
    },
  };
}

function extendQuestion({ id, cidr }: Entry): Question {
  const source = bare(cidr);
  return {
    title: `When does the entry of ${source} end?`,
    says: ['Counted from now.'],
    fields: [{ name: 'hours', label: 'Hours from now', kind: 'number', value: '24', max: 8760 }],
    button: 'Set the end',
    act: async ({ hours = '' }) => {
      await patch(`/v1/entries/${id}`, { for: Math.round(Number(hours) * 3600) });
      return `The entry of ${source} ends in ${hours} h.`;
    },
  };
}

/** A new entry that protects a source. */
export function allowQuestion(cidr: string, name: string): Question {
  const source = bare(cidr);
  return {
    title: `Allow ${source}?`,
    says: [
      'Whatever is detected, it is neither limited nor blocked until the allowance ends.',
      'Limits and blocks that it has end now.',
    ],
    fields: [
      { name: 'owner', label: 'Whose allowance this is', kind: 'text', value: name },
      reason,
      { name: 'days', label: 'Days', kind: 'number', value: '30', max: 3650 },
    ],
    button: `Allow ${source}`,
    act: async ({ owner = '', reason = '', days = '' }) => {
      const body = { cidr, action: 'allow', owner, reason, for: Math.round(Number(days) * 86_400) };
      await post('/v1/entries', body);
      return `${source} is allowed for ${days} days. It stands in the audit trail.`;
    },
  };
}

/** A new limit or block by hand. */
export function listQuestion(cidr: string, name: string): Question {
  const source = bare(cidr);
  return {
    title: `Put ${source} on the list by hand?`,
    says: [
      'Mail from it is held back until the end that you give, whatever is detected.',
      'Registered servers and sources that are allowed are refused.',
    ],
    fields: [
      {
        name: 'action',
        label: 'Action',
        kind: 'choice',
        value: 'limit',
        choices: [
          ['limit', 'limit: 25 messages an hour, 10 at once'],
          ['block', 'block port 25'],
        ],
      },
      { name: 'owner', label: 'Whose entry this is', kind: 'text', value: name },
      reason,
      { name: 'hours', label: 'Hours', kind: 'number', value: '24', max: 168 },
    ],
    button: `List ${source}`,
    tone: 'bad',
    act: async ({ action = '', owner = '', reason = '', hours = '' }) => {
      const limit = action === 'limit' ? { rate: 25, burst: 10 } : {};
      const body = { cidr, action, owner, reason, for: Math.round(Number(hours) * 3600), ...limit };
      await post('/v1/entries', body);
      return `${source} is on the list for ${hours} h. It stands in the audit trail.`;
    },
  };
}

function appealQuestion({ id, cidr }: Entry): Question {
  const source = bare(cidr);
  return {
    title: `File an appeal for ${source}?`,
    says: [
      'For somebody who calls. A person answers within a day.',
      'If nobody does in a week, the entry is released by itself.',
    ],
    fields: [
      { name: 'text', label: 'What they say', kind: 'area', max: 2000 },
      { name: 'contact', label: 'How to reach them', kind: 'text', optional: true, max: 200 },
    ],
    button: 'File the appeal',
    act: async ({ text = '', contact = '' }) => {
      await post(`/v1/entries/${id}/appeal`, { text, contact });
      return `An appeal for ${source} is filed.`;
    },
  };
}

function upholdQuestion({ id, cidr }: Entry): Question {
  const source = bare(cidr);
  return {
    title: `The entry of ${source} stays?`,
    says: [
      'The appeal is answered, and whoever filed it reads what you write.',
      'To say yes to the appeal, release the entry.',
    ],
    fields: [{ name: 'answer', label: 'Answer', kind: 'area' }],
    button: 'It stays',
    act: async ({ answer = '' }) => {
      await post(`/v1/entries/${id}/uphold`, { answer });
      return `The appeal for ${source} is answered.`;
    },
  };
}
