// Every metric there is: name, type, help, labels, and where its value stands in the figures of a
// `stats` event. The collector, the reference in README.md, the dashboards and the rules are made
// from this table; nothing is counted here.
//
// Names follow https://prometheus.io/docs/practices/naming/: base units, `_total` for what only
// grows. A label has few values that are known beforehand (a reason, a worker, a consumer's name in
// the file of tokens): never an address, a mailbox or a domain.

export interface Metric {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** Path in the figures, with `*` for each key of an object; each star has its label. */
  readonly at: string;
  readonly labels?: readonly string[];
  /** The figure times this is the value in base units. */
  readonly scale?: number;
}

const counter = <const L extends readonly string[]>(at: string, help: string, ...labels: L) =>
  ({ type: 'counter', help, at, labels }) as const;
const gauge = <const L extends readonly string[]>(at: string, help: string, ...labels: L) =>
  ({ type: 'gauge', help, at, labels }) as const;
/** Figures of `lib/histogram.ts`, in base units. */
const histogram = (at: string, help: string) =>
  ({ type: 'histogram', help, at, labels: [] }) as const;
/** Milliseconds, told as seconds. */
const seconds = (at: string, help: string, ...labels: string[]) =>
  ({ type: 'gauge', help, at, labels, scale: 1e-3 }) as const;

const capture = {
  mailweir_uptime_seconds: seconds('uptime_ms', 'Time since the daemon started.'),
  mailweir_capture_packets_total: counter('packets', 'Packets read.'),
  mailweir_capture_bytes_total: counter('bytes', 'Bytes that these packets had on the wire.'),
  mailweir_capture_kernel_drops_total: counter(
    'kernel_drops',
    'Packets that the kernel dropped before they could be read.',
  ),
  mailweir_capture_time_backwards_total: counter(
    'time_backwards',
    'Packets with a time before that of an earlier one.',
  ),
  mailweir_capture_ring_fill_ratio: gauge(
    'ring_fill',
    'Share of the fullest ring that waits to be read.',
  ),
  mailweir_capture_ring_full_total: counter('ring_full', 'Times that a ring was full.'),
  mailweir_capture_unsteered_total: counter(
    'unsteered',
    'Frames whose addresses the steering could not see.',
  ),
  mailweir_worker_restarts_total: counter('worker_restarts', 'Packet workers started again.'),
  mailweir_worker_lost_flows_total: counter(
    'lost_flows',
    'Connections that were open in workers that died.',
  ),
  mailweir_worker_lost_frames_total: counter(
    'lost_frames',
    'Frames that workers had in hand when they died.',
  ),
  mailweir_worker_packets_total: counter('workers.*.packets', 'Packets by worker.', 'worker'),
  mailweir_worker_kernel_drops_total: counter(
    'workers.*.kernel_drops',
    'Packets that the kernel dropped, by worker.',
    'worker',
  ),
  mailweir_capture_interfaces_down: gauge(
    'interfaces_down',
    'Interfaces that are down, each counted for each worker that listens on it.',
  ),
} satisfies Record<string, Metric>;

const line = {
  mailweir_decode_segments_total: counter('decoded', 'Packets that held a TCP segment.'),
  mailweir_decode_skipped_total: counter('skipped.*', 'Packets left out, by reason.', 'reason'),
  mailweir_decode_facts_total: counter(
    'decode.*',
    'Facts of decoding beside the reason, such as wrong checksums.',
    'fact',
  ),
  mailweir_decode_duplicates_total: counter(
    'duplicates',
    'Second copies of a packet from a mirror of both directions.',
  ),
  mailweir_flow_connections_total: counter('flows', 'Connections that ended.'),
  mailweir_flow_open: gauge('flows_open', 'Connections in the tables at present.'),
  mailweir_flow_half_open_total: counter('half_open', 'Connections that never carried payload.'),
  mailweir_flow_other_total: counter('other', 'Connections with payload that are not mail.'),
  mailweir_flow_one_sided_total: counter(
    'one_sided',
    'Connections with payload of which one direction was seen.',
  ),
  mailweir_flow_evicted_total: counter('evicted', 'Connections given up to make room.'),
  mailweir_flow_gaps_total: counter('reassembly_gaps', 'Holes in the streams.'),
  mailweir_flow_gap_bytes_total: counter('gap_bytes', 'Bytes missing in these holes.'),
  mailweir_flow_out_of_window_total: counter(
    'out_of_window',
    'Segments with sequence numbers outside any window.',
  ),
  mailweir_flow_exhausted_total: counter(
    'exhausted',
    'Segments, names and commands for which no memory was left.',
  ),
  mailweir_flow_stream_bytes_total: counter(
    'stream_bytes',
    'Payload of connections of which both directions were seen.',
  ),
  mailweir_flow_unseen_bytes_total: counter(
    'unseen_bytes',
    'What is missing of that payload: the loss between the wire and here.',
  ),
  mailweir_smtp_sessions_total: counter('sessions', 'SMTP sessions read.'),
  mailweir_smtp_transactions_total: counter('transactions', 'SMTP transactions read.'),
  mailweir_smtp_anomalies_total: counter(
    'mail.anomalies.*',
    'Oddities of the dialogue, by kind.',
    'anomaly',
  ),
  mailweir_mail_transactions_total: counter(
    'mail.transactions.*.*',
    'SMTP transactions by direction, as seen from the own networks, and outcome.',
    'direction',
    'outcome',
  ),
  mailweir_mail_recipients_total: counter(
    'mail.recipients.*.*',
    'Recipients by direction and by what the reply says; none: the reply was not seen whole.',
    'direction',
    'reply',
  ),
  mailweir_mail_sessions_total: counter(
    'mail.sessions.*.*',
    'SMTP sessions by direction and by how TLS began, if it did.',
    'direction',
    'tls',
  ),
  mailweir_mail_attempts_total: counter(
    'mail.attempts.*.*',
    'Connections to mail ports that never opened, by direction and by what answered the SYN.',
    'direction',
    'answer',
  ),
  mailweir_rows_dropped_total: counter(
    'rows_dropped',
    'Transactions and sessions that were read but could not be handed on.',
  ),
} satisfies Record<string, Metric>;

const judgement = {
  mailweir_detect_rules: gauge('detect.rules', 'Detection rules in use.'),
  mailweir_detect_rules_degraded: gauge(
    'detect.degraded',
    'Detection rules that miss what they need.',
  ),
  mailweir_detect_rows_total: counter('detect.rows', 'Rows that the detectors looked at.'),
  mailweir_detect_gapped_total: counter(
    'detect.gapped',
    'Transactions with bytes missing, which are no evidence.',
  ),
  mailweir_detect_unproven_total: counter(
    'detect.unproven',
    'Rows without a handshake, which are no evidence.',
  ),
  mailweir_detect_findings_open: gauge('detect.open', 'Findings that have not cleared.'),
  mailweir_detect_subjects: gauge('detect.subjects', 'Sources and servers under observation.'),
  mailweir_detect_evicted_total: counter('detect.evicted', 'Subjects given up to make room.'),
  mailweir_detect_given_up_total: counter(
    'detect.given_up.*',
    'What detectors gave up at a limit, by what it was.',
    'what',
  ),
  mailweir_detect_symmetry_ratio: gauge(
    'detect.symmetry',
    'Share of connections of which both directions are seen.',
  ),
  mailweir_detect_loss_ratio: gauge('detect.loss', 'Share of the payload that is missing.'),
  mailweir_detect_customers: gauge('detect.customers', 'Customers active lately.'),
  mailweir_decide_findings_total: counter('decide.findings', 'Findings that reached the policy.'),
  mailweir_decide_alerts_total: counter('decide.alerts', 'Alerts raised.'),
  mailweir_decide_added_total: counter('decide.added', 'Limits and blocks decided.'),
  mailweir_decide_released_total: counter('decide.released', 'Decisions taken back.'),
  mailweir_decide_expired_total: counter('decide.expired', 'Decisions that ended in time.'),
  mailweir_decide_refused_full_total: counter(
    'decide.refused_full',
    'Decisions for which there was no room.',
  ),
  mailweir_decide_breaker_trips_total: counter(
    'decide.breaker_trips',
    'Times that the circuit breaker opened.',
  ),
  mailweir_decide_breaker_open: gauge(
    'decide.breaker_open',
    '1 while the circuit breaker is open and no new block is published.',
  ),
  mailweir_decide_entries: gauge(
    'open.*.*',
    'Decisions in force by action and mode; what only observes is not published.',
    'action',
    'mode',
  ),
  mailweir_decide_changes_total: counter(
    'verdicts.decisions.*.*.*',
    'Changes of decisions, by action, role of the source, and what happened.',
    'action',
    'role',
    'state',
  ),
  mailweir_decide_rule_entries_total: counter(
    'verdicts.rules.*.*',
    'Limits and blocks decided, by the rule that decided and action.',
    'rule',
    'action',
  ),
  mailweir_decide_rule_alerts_total: counter(
    'verdicts.alerts.*.*',
    'Alerts raised, by rule and severity.',
    'rule',
    'severity',
  ),
  mailweir_decide_time_to_decision_seconds: histogram(
    'verdicts.time_to_decision',
    'Time from the first finding about a source to its limit or block, by packet time.',
  ),
  mailweir_decide_open: gauge('decide.open', 'Decisions in force.'),
  mailweir_decide_guarded_total: counter(
    'decide.guards.*',
    'Decisions that a guard weakened or held back, by guard.',
    'guard',
  ),
} satisfies Record<string, Metric>;

const list = {
  mailweir_list_revision: gauge('block.revision', 'Revision of the block list.'),
  mailweir_list_entries: gauge('block.entries', 'Entries of the block list.'),
  mailweir_list_memory_bytes: gauge('block.memory_bytes', 'Memory that the list takes.'),
  mailweir_list_added_total: counter('block.added', 'Entries added.'),
  mailweir_list_expired_total: counter('block.expired', 'Entries that ended in time.'),
  mailweir_list_released_total: counter('block.released', 'Entries that a person released.'),
  mailweir_list_wrong_total: counter('block.wrong', 'Entries released because they were wrong.'),
  mailweir_list_appeals_total: counter('block.appeals', 'Appeals against entries.'),
  mailweir_list_dropped_total: counter('block.dropped', 'Changes that could not be kept.'),
  mailweir_list_refused_protected_total: counter(
    'block.refused_protected',
    'Entries refused because what they name is protected.',
  ),
  mailweir_enforce_entries: gauge(
    'enforce.seen.states.*',
    'Entries by what the wire shows of their enforcement.',
    'state',
  ),
  mailweir_enforce_unwatched: gauge(
    'enforce.seen.unwatched',
    'Entries that there was no room to watch.',
  ),
  mailweir_enforce_time_to_enforce_median_seconds: seconds(
    'enforce.seen.time_to_enforce_ms.median',
    'Median time from publishing an entry to seeing it enforced.',
  ),
  mailweir_enforce_time_to_enforce_max_seconds: seconds(
    'enforce.seen.time_to_enforce_ms.max',
    'Longest time from publishing an entry to seeing it enforced.',
  ),
  mailweir_enforce_leak_ratio: gauge(
    'enforce.seen.leak_ratio',
    'Share of what listed sources tried that got through against their entries.',
  ),
  mailweir_enforce_consumer_entries: gauge(
    'enforce.seen.consumers.*.states.*',
    'Entries that a consumer has by what the wire shows since then.',
    'consumer',
    'state',
  ),
  mailweir_enforce_consumer_leak_ratio: gauge(
    'enforce.seen.consumers.*.leak_ratio',
    'Share of what listed sources tried that got through since a consumer had their entries.',
    'consumer',
  ),
  mailweir_enforce_consumer_time_to_enforce_median_seconds: seconds(
    'enforce.seen.consumers.*.time_to_enforce_ms.median',
    'Median time from a consumer having an entry to seeing it enforced.',
    'consumer',
  ),
  mailweir_nftables_orders_total: counter('enforce.nftables.orders', 'Orders given to the kernel.'),
  mailweir_nftables_failed_total: counter('enforce.nftables.failed', 'Orders that failed.'),
  mailweir_nftables_revision: gauge(
    'enforce.nftables.revision',
    'Revision of the list that the kernel has.',
  ),
} satisfies Record<string, Metric>;

const service = {
  mailweir_http_requests_total: counter('http.requests', 'Requests to the HTTP server.'),
  mailweir_http_unchanged_total: counter('http.unchanged', 'Requests answered with 304.'),
  mailweir_http_refused_total: counter('http.refused', 'Requests answered with 4xx.'),
  mailweir_http_failed_total: counter('http.failed', 'Requests answered with 5xx.'),
  mailweir_http_responses_total: counter(
    'responses.status.*',
    'Responses by class of their status.',
    'status',
  ),
  mailweir_http_response_seconds: histogram(
    'responses.took',
    'Time from a request to its response; streams are left out.',
  ),
  mailweir_http_dropped_total: counter('http.dropped', 'Connections that asked nothing whole.'),
  mailweir_http_refused_token_total: counter(
    'http.refused_token',
    'Requests without a token that is known.',
  ),
  mailweir_http_streams: gauge('http.streams', 'Streams of changes that are open.'),
  mailweir_documents_printed_total: counter('http.documents.printed', 'Documents printed.'),
  mailweir_documents_failed_total: counter(
    'http.documents.failed',
    'Documents that could not be printed.',
  ),
  mailweir_documents_stale_total: counter(
    'http.documents.stale',
    'Documents served as of an earlier revision.',
  ),
  mailweir_documents_held_total: counter(
    'http.documents.held',
    'Times that a list which changed too much was held back.',
  ),
  mailweir_documents_held: gauge(
    'publishing.held',
    '1 while a list that changed too much is held back and waits for a person.',
  ),
  mailweir_documents_unaccounted_total: counter(
    'http.documents.unaccounted',
    'Times that the list had lost entries of which no change tells; it was not published.',
  ),
  mailweir_documents_delay_seconds: histogram(
    'publishing.delay',
    'Time from a change of the list to the first document with it, printed when somebody asks.',
  ),
  mailweir_consumer_fetch_age_seconds: gauge(
    'consumers.*.age_s',
    'Time since a consumer last fetched the list or its changes, by the clock of the list.',
    'consumer',
  ),
  mailweir_consumer_behind_revisions: gauge(
    'consumers.*.behind',
    'Revisions that a consumer is behind the list.',
    'consumer',
  ),
  mailweir_consumer_requests_total: counter(
    'consumers.*.requests',
    'Times that a consumer fetched the list.',
    'consumer',
  ),
  mailweir_dnsbl_queries_udp_total: counter('lookup.dns_udp', 'DNSBL questions by UDP.'),
  mailweir_dnsbl_queries_tcp_total: counter('lookup.dns_tcp', 'DNSBL questions by TCP.'),
  mailweir_dnsbl_blocked_total: counter('lookup.dns_blocked', 'Questions about a blocked address.'),
  mailweir_dnsbl_stale_total: counter('lookup.dns_stale', 'Questions after the list had died.'),
  mailweir_dnsbl_dropped_total: counter('lookup.dns_dropped', 'Messages that were no question.'),
  mailweir_dnsbl_answers_total: counter(
    'answers.dnsbl.*',
    'DNSBL questions by what they met with.',
    'answer',
  ),
  mailweir_dnsbl_answer_seconds: histogram(
    'answers.dnsbl_took',
    'Time that answers by UDP took in the lookup thread; every sixteenth is measured.',
  ),
  mailweir_policy_answers_total: counter(
    'answers.policy.*',
    'Questions to the policy server by what they met with.',
    'answer',
  ),
  mailweir_policy_requests_total: counter('lookup.policy_requests', 'Questions of mail servers.'),
  mailweir_policy_rejected_total: counter('lookup.policy_rejected', 'Clients to be rejected.'),
  mailweir_policy_deferred_total: counter('lookup.policy_deferred', 'Clients told to wait.'),
  mailweir_lookup_revision: gauge(
    'lookup.revision',
    'Revision of the list that DNSBL and policy server answer from.',
  ),
  mailweir_lookup_restarts_total: counter('lookup.restarts', 'Lookup threads started again.'),
  mailweir_notify_sent_total: counter('notify.*.sent', 'Messages sent.', 'receiver'),
  mailweir_notify_dropped_total: counter('notify.*.dropped', 'Messages dropped.', 'receiver'),
  mailweir_notify_refused_total: counter(
    'notify.*.refused',
    'Messages that the receiver refused for good.',
    'receiver',
  ),
  mailweir_notify_failures_total: counter(
    'notify.*.failures',
    'Times that sending failed and is tried again.',
    'receiver',
  ),
  mailweir_notify_waiting: gauge('notify.*.waiting', 'Messages that wait.', 'receiver'),
} satisfies Record<string, Metric>;

const register = {
  mailweir_register_entries: gauge('register.entries.*', 'Entries by register.', 'register'),
  mailweir_register_ending: gauge(
    'register.ending.*.*',
    'Entries that end within so many days, by register.',
    'register',
    'within',
  ),
  mailweir_register_clocks: gauge(
    'register.clocks.*',
    'What the clocks of the register find late or due, by name as in `mailweir register lint`.',
    'clock',
  ),
} satisfies Record<string, Metric>;

const self = {
  mailweir_scrape_seconds: histogram('scrape', 'Time that earlier scrapes took.'),
} satisfies Record<string, Metric>;

/** Metrics of the process that boards show, as the library names them: there are more. */
export const processMetrics = [
  'process_cpu_seconds_total',
  'process_resident_memory_bytes',
  'process_open_fds',
  'process_max_fds',
  'nodejs_heap_size_used_bytes',
  'nodejs_external_memory_bytes',
  'nodejs_eventloop_lag_p99_seconds',
] as const;
export type ProcessName = (typeof processMetrics)[number];

export const metrics = {
  ...capture,
  ...line,
  ...judgement,
  ...list,
  ...service,
  ...register,
  ...self,
};

/** The reference as a Markdown table; README.md has it, and a test keeps it true. */
export function reference(): string {
  const rows = Object.entries<Metric>(metrics).map(([name, { type, labels = [], help }]) => {
    return `| \`${name}\` | ${type} | ${labels.join(', ')} | ${help} |`;
  });
  return ['| metric | type | labels | what it is |', '| --- | --- | --- | --- |', ...rows].join(
    '\n',
  );
}

/** A name that exists; another one in a panel or a rule does not compile. */
export type MetricName = keyof typeof metrics;

type Table = typeof metrics;
type NamesOf<Type> = { [N in MetricName]: Table[N]['type'] extends Type ? N : never }[MetricName];
export type CounterName = NamesOf<'counter'>;
export type GaugeName = NamesOf<'gauge'>;
export type HistogramName = NamesOf<'histogram'>;

/** Labels that a metric has; all have `sensor`, and `site` where one is configured. */
export type LabelOf<N extends MetricName> = Table[N]['labels'][number] | 'sensor' | 'site';
