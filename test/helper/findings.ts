// A sink that keeps what it is given, for tests of detectors and of policy.

import type { Finding, FindingSink } from '../../src/detect/finding.js';

export class FindingRecorder implements FindingSink {
  readonly findings: Finding[] = [];

  finding(finding: Finding): void {
    this.findings.push(finding);
  }

  /** One line per finding: state, rule, subject. */
  get lines(): readonly string[] {
    return this.findings.map(({ state, rule, subject }) => `${state} ${rule.id} ${subject.cidr}`);
  }
}
