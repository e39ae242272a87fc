// Panels about those who are served: HTTP, documents, consumers, DNSBL, policy server, receivers.

import { mostBy, quantile, rate, rateBy, sumBy } from '../select.js';
import { graph } from '../style.js';

export const requests = graph({
  title: 'HTTP requests',
  description:
    'All requests, those answered with 304 (nothing new), refused ones and our failures.',
  unit: 'reqps',
  queries: [
    ['all', rate('mailweir_http_requests_total')],
    ['unchanged', rate('mailweir_http_unchanged_total')],
    ['refused', rate('mailweir_http_refused_total')],
    ['failed', rate('mailweir_http_failed_total')],
  ],
});

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

export const dnsbl = graph({
  title: 'DNSBL questions',
  description: 'Questions by UDP and TCP, and those about an address that is blocked.',
  unit: 'reqps',
  queries: [
    ['UDP', rate('mailweir_dnsbl_queries_udp_total')],
    ['TCP', rate('mailweir_dnsbl_queries_tcp_total')],
    ['blocked', rate('mailweir_dnsbl_blocked_total')],
    ['list too old', rate('mailweir_dnsbl_stale_total')],
  ],
});

export const policyServer = graph({
  title: 'Policy server',
  description: 'Questions of mail servers, and what they were told.',
  unit: 'reqps',
  queries: [
    ['questions', rate('mailweir_policy_requests_total')],
    ['rejected', rate('mailweir_policy_rejected_total')],
    ['deferred', rate('mailweir_policy_deferred_total')],
  ],
});

export const notices = graph({
  title: 'Messages to receivers',
  description: 'Alerts and decisions sent on, and dropped because a receiver was away too long.',
  unit: 'ops',
  queries: [
    ['sent to {{receiver}}', rateBy('receiver', 'mailweir_notify_sent_total')],
    ['dropped for {{receiver}}', rateBy('receiver', 'mailweir_notify_dropped_total')],
  ],
});

export const noticesWaiting = graph({
  title: 'Messages that wait',
  description: 'Messages for a receiver that is slow or away.',
  unit: 'short',
  queries: [['{{receiver}}', sumBy('receiver', 'mailweir_notify_waiting')]],
});
