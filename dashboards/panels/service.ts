// Panels about those who are served: HTTP, documents, consumers, DNSBL, policy server, receivers.

import { limits } from '../limits.js';
import { most, mostBy, quantile, rate, rateBy, sumBy } from '../select.js';
import { figure, graph } from '../style.js';

export const requestTimes = graph({
  title: 'Time of responses',
  description:
    'From a request to its response, streams left out. Half, and 99 of 100, are faster. Consumers ' +
    'give up after some seconds.',
  unit: 's',
  queries: [
    ['half', quantile(0.5, 'mailweir_http_response_seconds')],
    ['99 of 100', quantile(0.99, 'mailweir_http_response_seconds')],
  ],
});

export const documents = graph({
  title: 'Documents of the list',
  description:
    'Documents printed, those that failed, and those served as of an earlier revision because ' +
    'the new one was not ready.',
  unit: 'ops',
  queries: [
    ['printed', rate('mailweir_documents_printed_total')],
    ['failed', rate('mailweir_documents_failed_total')],
    ['stale', rate('mailweir_documents_stale_total')],
  ],
});

export const consumersBehind = graph({
  title: 'Consumers behind the list',
  description:
    'Revisions that each consumer is behind. One that stays behind blocks whom we released.',
  unit: 'short',
  queries: [['{{consumer}}', mostBy('consumer', 'mailweir_consumer_behind_revisions')]],
});

export const consumersFetch = graph({
  title: 'Fetches by consumer',
  description: 'How often each consumer fetches the list or its changes.',
  unit: 'reqps',
  queries: [['{{consumer}}', rateBy('consumer', 'mailweir_consumer_requests_total')]],
});

export const fetchAge = graph({
  title: 'Since the last fetch',
  description: 'Time since each consumer last fetched. One hour is an alert: it has no news of us.',
  unit: 's',
  queries: [['{{consumer}}', mostBy('consumer', 'mailweir_consumer_fetch_age_seconds')]],
  bad: limits.fetchAge,
});

export const publishDelay = graph({
  title: 'From a change to its document',
  description:
    'Time from a change of the list to the first document with it, of those of the last hour. It ' +
    'is printed when somebody asks, so it is as long as consumers wait between their fetches.',
  unit: 's',
  queries: [
    ['half', quantile(0.5, 'mailweir_documents_delay_seconds', '1h')],
    ['95 of 100', quantile(0.95, 'mailweir_documents_delay_seconds', '1h')],
  ],
});

export const held = figure({
  title: 'List held back',
  description: '1: the list changed too much at once, and waits for a person to accept it.',
  unit: 'short',
  queries: [['held', most('mailweir_documents_held')]],
  bad: 1,
  console: '/#/list',
});

export const responses = graph(
  {
    title: 'HTTP by status',
    description:
      '3xx: nothing new since the last fetch. 4xx: wrong token or address. 5xx: our fault.',
    unit: 'reqps',
    queries: [['{{status}}', rateBy('status', 'mailweir_http_responses_total')]],
  },
  { stacked: true },
);

export const dnsbl = graph({
  title: 'DNSBL questions',
  description:
    'Questions by what they met with. `stale`: the list had died. `rate_…`: a source asked too ' +
    'often. `outside`: not our zone.',
  unit: 'reqps',
  queries: [['{{answer}}', rateBy('answer', 'mailweir_dnsbl_answers_total')]],
});

export const dnsblTimes = graph({
  title: 'Time of DNSBL answers',
  description: 'Time of answers by UDP inside the sensor; every sixteenth is measured.',
  unit: 's',
  queries: [
    ['half', quantile(0.5, 'mailweir_dnsbl_answer_seconds', '5m')],
    ['99 of 100', quantile(0.99, 'mailweir_dnsbl_answer_seconds', '5m')],
  ],
});

export const policyServer = graph({
  title: 'Policy server',
  description: 'Questions of mail servers by what they were told; `stale`: the list had died.',
  unit: 'reqps',
  queries: [['{{answer}}', rateBy('answer', 'mailweir_policy_answers_total')]],
});

export const notices = graph({
  title: 'Messages to receivers',
  description: 'Alerts and decisions sent on; failed ones are tried again, dropped ones are gone.',
  unit: 'ops',
  queries: [
    ['sent to {{receiver}}', rateBy('receiver', 'mailweir_notify_sent_total')],
    ['failed at {{receiver}}', rateBy('receiver', 'mailweir_notify_failures_total')],
    ['dropped for {{receiver}}', rateBy('receiver', 'mailweir_notify_dropped_total')],
  ],
});

export const noticesWaiting = graph({
  title: 'Messages that wait',
  description: 'Messages for a receiver that is slow or away.',
  unit: 'short',
  queries: [['{{receiver}}', sumBy('receiver', 'mailweir_notify_waiting')]],
});
