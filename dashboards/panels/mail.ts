// Panels about the mail itself: sessions, transactions.

import { rate, rateBy } from '../select.js';
import { figure, graph } from '../style.js';

export const mailNow = figure({
  title: 'Mail',
  description: 'SMTP transactions a second, in both directions.',
  unit: 'mps',
  queries: [['mail', rate('mailweir_smtp_transactions_total')]],
});

export const sessionsAndMail = graph({
  title: 'Sessions and transactions',
  description:
    'SMTP sessions and the transactions in them. Sessions without transactions are probes, ' +
    'refused clients, or mail inside TLS, whose envelope nobody can see.',
  unit: 'ops',
  queries: [
    ['sessions', rate('mailweir_smtp_sessions_total')],
    ['transactions', rate('mailweir_smtp_transactions_total')],
  ],
});

export const mailBySensor = graph({
  title: 'Transactions by sensor',
  description: 'Where the mail is seen. A sensor without any has lost its mail ports.',
  unit: 'mps',
  queries: [['{{sensor}}', rateBy('sensor', 'mailweir_smtp_transactions_total')]],
});
