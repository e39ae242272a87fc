// Alerts and decisions in words: why this source, why now, what would clear it. One function per
// family of rules, plain English, made of the numbers that decided. No mailbox and no text that a
// stranger wrote can be in it: evidence has neither.

import type { Finding } from '../detect/finding.js';
import type { Decision } from './decision.js';
import { type Guard, guardWords } from './guards.js';

export function explainAlert(finding: Finding, guards: readonly Guard[]): string {
  const held = guards.length === 0 ? '' : ` ${heldBack(guards)}`;
  return `${finding.rule.title}: ${listed(finding.evidence)}.${held}`;
}

export function explainDecision(decision: Decision): string {
  return `${decision.title}: ${listed(decision.evidence)}.`;
}

function heldBack(guards: readonly Guard[]): string {
  return `No automatic action: ${guards.map((guard) => guardWords[guard]).join('; ')}.`;
}

function listed(evidence: Readonly<Record<string, number | string>>): string {
  return Object.entries(evidence)
    .map(([name, value]) => `${name.replaceAll('_', ' ')} ${value}`)
    .join(', ');
}
