// The words of findings: severities by proof level, and the order of the ranks.

import { describe, expect, it } from 'vitest';
import { modes, proofs, severities, severityOf } from '../../src/detect/finding.js';
import { FindingRecorder } from '../helper/findings.js';

describe('severity', () => {
  const rising = { suspected: 'low', probable: 'medium', confirmed: 'critical' } as const;

  it.each([
    [{ severity: 'high' as const }, undefined, 'high'],
    [{ severity: 'high' as const }, 'confirmed' as const, 'high'],
    [{ severity: rising }, 'suspected' as const, 'low'],
    [{ severity: rising }, 'confirmed' as const, 'critical'],
    [{ severity: rising }, undefined, 'low'],
  ])('%j at %s is %s', (rule, proof, expected) => {
    expect(severityOf(rule, proof)).toBe(expected);
  });

  it('ranks rise with the index', () => {
    expect(severities.indexOf('critical')).toBeGreaterThan(severities.indexOf('high'));
    expect(modes.indexOf('enforce')).toBeGreaterThan(modes.indexOf('observe'));
    expect(proofs.indexOf('confirmed')).toBeGreaterThan(proofs.indexOf('suspected'));
  });
});

it('a recorder tells findings in lines', () => {
  const recorder = new FindingRecorder();
  expect(recorder.lines).toEqual([]);
});
