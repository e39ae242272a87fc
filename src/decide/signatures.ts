// Numbers and categories of alerts, as EVE readers expect them. A number belongs to a rule id for
// ever; a new rule takes the next one.

/** Suricata leaves 1,000,000 to 1,999,999 to local use; ours begin here. */
const first = 1_825_001;
/** Rules that are not shipped have a number from their id, in the last hundred thousand. */
const others = 1_900_000;
const othersCount = 100_000;

/** Rule ids in the order of their numbers, with the category of their alerts. */
const signatures: readonly (readonly [string, string])[] = [
  ['core.direct-to-mx', 'Unauthorized sender'],
  ['core.open-relay', 'Open relay'],
  ['core.rcpt-failure-sprt', 'Spam source'],
  ['core.harvest', 'Address harvesting'],
  ['core.rcpt-fanout', 'Spam source'],
  ['core.submission-fanout', 'Spam source'],
  ['core.auth-guessing', 'Password guessing'],
  ['core.compromised-sender', 'Compromised sender'],
  ['core.rate-limit', 'Rate exceeded'],
  ['core.hot-source', 'Traffic information'],
  ['core.envelope-forgery', 'Envelope forgery'],
  ['core.dialect', 'Protocol dialect'],
  ['core.snowshoe', 'Spam source'],
  ['core.not-smtp', 'Protocol dialect'],
  ['core.label', 'Advertising label'],
  ['core.network-cusum', 'Traffic information'],
  ['core.dnsbl-verdict', 'Listed elsewhere'],
  ['core.register-clock', 'Register deadline'],
  ['core.unregistered-server', 'Unregistered server'],
  ['core.relay-probe', 'Open relay'],
  ['core.backscatter', 'Backscatter'],
  ['core.connect-failure', 'Spam source'],
  ['core.circuit-breaker', 'Sensor'],
  ['core.stranger-refused', 'Spam source'],
];

const numbers = new Map(signatures.map(([id], at) => [id, first + at]));
const categories = new Map(signatures);

/** `alert.signature_id` of a rule id. */
export function signatureId(rule: string): number {
  return numbers.get(rule) ?? others + (fnv1a(rule) % othersCount);
}

/** `alert.category` of a rule id. */
export function category(rule: string): string {
  return categories.get(rule) ?? 'Local rule';
}

/** FNV-1a, 32 bits (Fowler, Noll and Vo). */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const letter of text) hash = Math.imul(hash ^ letter.codePointAt(0)!, 0x01000193);
  return hash >>> 0;
}
