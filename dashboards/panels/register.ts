// Panels about the register: what it holds, what ends soon, what the regulations find late or due.

import { mostBy } from '../select.js';
import { bars } from '../style.js';

export const entries = bars({
  title: 'The register',
  description:
    'Entries by register: servers, codes, the allow-list, pools of the address plan. A number ' +
    'that falls is a file that was cut.',
  unit: 'short',
  queries: [['{{register}}', mostBy('register', 'mailweir_register_entries')]],
  console: '/#/register',
});

export const ending = bars({
  title: 'Entries that end soon',
  description:
    'Entries of servers, codes and the allow-list that end within seven and thirty days. ' +
    'Renew or retire them before they stop to protect anybody.',
  unit: 'short',
  queries: [
    ['{{register}}, 7 days', mostBy('register', 'mailweir_register_ending', { within: '7d' })],
    ['{{register}}, 30 days', mostBy('register', 'mailweir_register_ending', { within: '30d' })],
  ],
  console: '/#/register',
});

export const clocks = bars({
  title: 'Clocks of the register',
  description:
    'What the regulations find late, due or missing, by name; `mailweir register lint` names the ' +
    'lines and the sections.',
  unit: 'short',
  queries: [['{{clock}}', mostBy('clock', 'mailweir_register_clocks')]],
  console: '/#/register',
});
