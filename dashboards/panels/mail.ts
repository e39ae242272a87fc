// Panels about the mail itself: how much, in which direction, how it ends, inside which sessions.

import { direction, rate, rateBy, share } from '../select.js';
import { figure, graph } from '../style.js';

const transactions = 'mailweir_mail_transactions_total';
const recipients = 'mailweir_mail_recipients_total';
const out = { direction: 'out' } as const;

export const mailNow = figure({
  title: 'Mail out',
  description: 'SMTP transactions a second from own addresses to foreign servers.',
  unit: 'mps',
  queries: [['out', rate(transactions, out)]],
});

export const unknownOutNow = figure({
  title: 'Unknown recipients, out',
  description:
    'Share of the recipients that own addresses name to foreign servers and that do not exist ' +
    'there. Honest mail has a few percent; lists that were bought or guessed have far more.',
  unit: 'percentunit',
  queries: [
    ['unknown', share(rate(recipients, { ...out, reply: 'unknown-user' }), rate(recipients, out))],
  ],
  warn: 0.1,
  bad: 0.25,
});

export const refusedOut = graph({
  title: 'Refused recipients, out',
  description:
    'Shares of the recipients of outgoing mail: unknown ones, and refused by the policy of the ' +
    'foreign server. They rise when customers are infected, or when our addresses have a bad name.',
  unit: 'percentunit',
  queries: [
    ['unknown', share(rate(recipients, { ...out, reply: 'unknown-user' }), rate(recipients, out))],
    [
      'refused by policy',
      share(rate(recipients, { ...out, reply: 'policy-refused' }), rate(recipients, out)),
    ],
  ],
});

export const mailByDirection = graph(
  {
    title: 'Mail by direction',
    description:
      'Out: from own addresses to the world. In: the other way. Inside and through: both ends ' +
      'are own, or neither. Unknown: `network.own` is not configured.',
    unit: 'mps',
    queries: [['{{direction}}', rateBy('direction', transactions, direction)]],
  },
  { stacked: true },
);

export const mailByOutcome = graph(
  {
    title: 'How mail ends',
    description:
      'Transactions by outcome. Unknown: the end was not seen, or a hole may have swallowed it.',
    unit: 'mps',
    queries: [['{{outcome}}', rateBy('outcome', transactions, direction)]],
  },
  { stacked: true },
);

export const replies = graph(
  {
    title: 'Replies to recipients',
    description:
      'Recipients by what the reply says. Much unknown-user is a guessed or bought list, much ' +
      'policy-refused a bad name; none: the reply was not seen whole.',
    unit: 'ops',
    queries: [['{{reply}}', rateBy('reply', recipients, direction)]],
  },
  { stacked: true },
);

export const sessionsByTls = graph(
  {
    title: 'Sessions by TLS',
    description:
      'Sessions in the clear, with STARTTLS, and with TLS from the first byte. Inside TLS nobody ' +
      'sees the envelope.',
    unit: 'ops',
    queries: [['{{tls}}', rateBy('tls', 'mailweir_mail_sessions_total', direction)]],
  },
  { stacked: true },
);

export const attempts = graph({
  title: 'Attempts that never opened',
  description:
    'Connections to mail ports that were refused, or met silence. Scanners make them, and so do ' +
    'sources that are blocked on the way.',
  unit: 'ops',
  queries: [['{{answer}}', rateBy('answer', 'mailweir_mail_attempts_total', direction)]],
});

export const anomalies = graph({
  title: 'Oddities of the dialogue',
  description:
    'What breaks the protocol, by kind. Early talkers and bare line ends are habits of bots; ' +
    'overlaps in conflict are somebody who hides.',
  unit: 'ops',
  queries: [['{{anomaly}}', rateBy('anomaly', 'mailweir_smtp_anomalies_total')]],
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
