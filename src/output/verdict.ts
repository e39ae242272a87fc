// Alerts and decisions as the objects of contracts 2.4 and 2.5. They are rare, so they are plain
// objects; `eve.ts` writes them among the other events, `notify/` sends them on.

import type { Alert, Decision } from '../decide/decision.js';
import { category, signatureId } from '../decide/signatures.js';
import type { Sample, Severity } from '../detect/finding.js';
import { isoTime } from '../lib/iso-time.js';

/** `alert.severity` as EVE counts: 1 is the worst. */
export const severityNumbers: Readonly<Record<Severity, 1 | 2 | 3>> = {
  critical: 1,
  high: 1,
  medium: 2,
  low: 3,
  info: 3,
};

/** What speaks of the network as a whole has this subject. */
const everything = '0.0.0.0/0';

/** Members of an event, as JSON has them. */
export type Fields = Readonly<Record<string, unknown>>;

/** The fields of an alert event behind `timestamp`, `event_type` and `sensor`. */
export function alertFields(alert: Alert): Fields {
  const { rule, flow, proof, samples } = alert;
  const subject = alert.subject.cidr === '' ? everything : alert.subject.cidr;
  return {
    ...(flow === undefined ? { src_ip: addressOf(subject) } : connectionOf(flow)),
    alert: {
      // The sensor is passive: whatever it saw, it let pass.
      action: 'allowed',
      signature_id: signatureId(rule.id),
      signature: rule.title,
      category: category(rule.id),
      severity: severityNumbers[alert.severity],
      rule: { id: rule.id, version: rule.version },
      subject: shortCidr(subject),
      evidence: {
        ...(proof !== undefined && { status: proof }),
        ...alert.evidence,
        ...(samples.length > 0 && { samples: samples.map(sampleOf) }),
      },
      ...(alert.degraded && { degraded: true }),
      ...(alert.guards.length > 0 && { guards: alert.guards }),
      explanation: alert.explanation,
    },
  };
}

/** The fields of a decision event behind the same. */
export function decisionFields(decision: Decision): Fields {
  const { id, cidr, action, state, scope, rule, level, mode } = decision;
  return {
    decision: {
      id,
      cidr,
      action,
      state,
      scope,
      rule: { id: rule.id, version: rule.version },
      until: isoTime(decision.until, '+0000'),
      level,
      mode,
      ...(decision.supersedes !== null && { supersedes: decision.supersedes }),
      explanation: decision.explanation,
    },
  };
}

function connectionOf(flow: NonNullable<Alert['flow']>): Fields {
  const { id, src_ip, src_port, dest_ip, dest_port } = flow;
  return { flow_id: id, src_ip, src_port, dest_ip, dest_port, proto: 'TCP' };
}

function sampleOf({ time, ...rest }: Sample): Fields {
  return { time: isoTime(time, '+0000'), ...rest };
}

/** The network address of a prefix. */
function addressOf(cidr: string): string {
  return cidr.slice(0, cidr.indexOf('/'));
}

/** A prefix that is one address, as the address. */
function shortCidr(cidr: string): string {
  const whole = cidr.includes(':') ? '/128' : '/32';
  return cidr.endsWith(whole) ? cidr.slice(0, -whole.length) : cidr;
}

/** One event as one line of JSON without its line end, as `eve.ts` writes it. */
export function eventText(
  type: 'alert' | 'decision',
  time: number,
  sensor: string | undefined,
  fields: Fields,
): string {
  const timestamp = isoTime(time, '+0000');
  const head = { timestamp, event_type: type, ...(sensor !== undefined && { sensor }) };
  return JSON.stringify({ ...head, ...fields });
}
