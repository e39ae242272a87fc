// Rule files as text: what is refused, and where the mistake is said to be. Every refusal of the
// linter has a rule here that differs from a good one in that point alone.

import { describe, expect, it } from 'vitest';
import { readRules } from '../../src/detect/rule-file.js';

const good = `id: a.one
title: One
version: 1.0.0
severity: high
on: rcpt.outcome
where: src.role == customer-dynamic and dst.port == 25
group_by: src.ip
bucket:
  { type: sprt, observe: outcome.class != ok, theta0: 0.2, theta1: 0.7, alpha: 1.0e-5, beta: 1% }
action: { do: block, ban_time: 1h }
tests:
  - { name: f, talks: &t [{ from: 203.0.113.1, to: 198.51.100.1 }], expect: { fires: true } }
  - { name: s, talks: *t, expect: { fires: false } }
`;

function read(text: string) {
  return readRules([{ path: 'r.yaml', text }], (part) => `sum${part.length}`);
}

/** The lines that are told about a text; none where it is good. */
function mistakes(text: string): readonly string[] {
  try {
    read(text);
    return [];
  } catch (error) {
    expect((error as Error).name).toBe('RuleError');
    return (error as Error).message.split('\n');
  }
}

it('a good rule is read with its defaults and its digest', () => {
  const [rule] = read(good).rules;
  expect(rule?.meta).toMatchObject({ id: 'a.one', mode: 'enforce', status: 'stable' });
  expect(rule?.meta.sha256).toBe(`sum${good.length}`);
  expect(rule?.meta.action).toMatchObject({ do: 'block', ban_time: 3600 });
});

it('several documents are several rules, each with a digest of its own text', () => {
  const { rules } = read(`${good}---\n${good.replace('a.one', 'a.second')}`);
  expect(rules.map(({ meta }) => meta.id)).toEqual(['a.one', 'a.second']);
  expect(rules[0]!.meta.sha256).not.toBe(rules[1]!.meta.sha256);
});

describe('form', () => {
  it.each([
    ['an unknown key', ['title: One', 'titel: One'], /^r\.yaml:2:1 titel: there is no such key$/m],
    [
      'an unknown key inside',
      ['beta: 1%', 'beta: 1%, bta: 1'],
      /^r\.yaml:9:\d+ bucket\.bta: there is no such key$/,
    ],
    ['no version', ['version: 1.0.0\n', ''], /version: /],
    ['a severity nobody knows', ['severity: high', 'severity: huge'], /^r\.yaml:4:1 severity: /],
    ['a span that is none', ['ban_time: 1h', 'ban_time: 1 fortnight'], /^r\.yaml:10:\d+ action/],
    ['an id without a folder', ['id: a.one', 'id: one'], /^r\.yaml:1:1 id: .*core\.rcpt-fanout/],
    ['text that is not YAML', ['title: One', 'title: "One'], /^r\.yaml:\d+:\d+ /],
    [
      'a grouping that is none',
      ['group_by: src.ip', 'group_by: src.port'],
      /^r\.yaml:7:1 group_by: src\.port is no grouping/,
    ],
  ] as const)('%s', (_, [from, to], expected) => {
    expect(mistakes(good.replace(from, to)).join('\n')).toMatch(expected);
  });
});

describe('expressions', () => {
  it.each([
    ['a field nobody knows', 'dst.prt == 25', /^r\.yaml:6:8 where: there is no field dst\.prt/],
    [
      'a field of another stream',
      'attempt.kind == refused',
      /where: attempt\.kind does not exist on rcpt\.outcome/,
    ],
    [
      'a word of another field',
      'src.role == stranger',
      /r\.yaml:6:20 where: src\.role is one of foreign/,
    ],
    [
      'a word as a number',
      'dst.port == smtp',
      /r\.yaml:6:20 where: dst\.port is a number; smtp is not/,
    ],
    [
      'an order of words',
      'src.role < foreign',
      /r\.yaml:6:17 where: src\.role is a word: it has no order/,
    ],
    ['a number as a condition', 'dst.port', /where: dst\.port is a number: compare it/],
    ['a key that is compared', 'rcpt.domain == 1', /where: rcpt\.domain cannot be compared/],
    ['two kinds', 'dst.port == src.role', /where: dst\.port and src\.role are of two kinds/],
    [
      'a list that is not there',
      'dst.ip in providers',
      /r\.yaml:6:18 where: there is no list "providers"/,
    ],
    ['a bracket left open', '(src.own', /where: "\)" expected, not the end/],
    ['something left over', 'src.own src.own', /r\.yaml:6:16 where: "src\.own" is one too many/],
    ['a sign without meaning', 'src.own & dst.own', /r\.yaml:6:16 where: "&" has no meaning here/],
    ['nothing behind not', 'src.role not foreign', /where: "in" expected behind "not"/],
  ])('%s', (_, where, expected) => {
    const text = good.replace(/^where: .*$/m, `where: ${where}`);
    expect(mistakes(text)[0]).toMatch(expected);
  });

  it('the place is right in a folded text', () => {
    const folded = 'where: >\n  src.role == customer-dynamic\n  and dst.prt == 25';
    const text = good.replace(/^where: .*$/m, folded);
    expect(mistakes(text)[0]).toMatch(/^r\.yaml:8:7 where: there is no field dst\.prt/);
  });

  it('nesting has an end', () => {
    const deep = `${'('.repeat(200)}src.own${')'.repeat(200)}`;
    expect(mistakes(good.replace(/^where: .*$/m, `where: ${deep}`))[0]).toMatch(/nested more than/);
  });
});

describe('what would hurt the innocent', () => {
  const roles = 'src.role == customer-dynamic and ';
  it.each([
    ['too many false alarms for a block', ['alpha: 1.0e-5', 'alpha: 1%'], /alpha.*at most 1e-3/],
    ['a block without a time', ['do: block, ban_time: 1h', 'do: block'], /a block needs ban_time/],
    [
      'a block of more than a week',
      ['ban_time: 1h', 'ban_time: 1h, ban_max: 8d'],
      /no automatic block lasts over 168h/,
    ],
    [
      'a step of more than a week',
      ['ban_time: 1h', 'ban_time: 1h, ban_increment: [169h]'],
      /over 168h/,
    ],
    [
      'other ports of own customers',
      ['ban_time: 1h', 'ban_time: 1h, ports: [25, 587]'],
      /blocked on port 25 only/,
    ],
    ['a prefix', ['group_by: src.ip', 'group_by: src.prefix(24,64)'], /a prefix is never blocked/],
    [
      'no test that fires',
      ['expect: { fires: true }', 'expect: { fires: false }'],
      /no test in which it fires/,
    ],
    [
      'no test that is silent',
      ['expect: { fires: false }', 'expect: { fires: true }'],
      /no test in which it is silent/,
    ],
    ['a registered server', [roles, ''], /can be true for registered,/],
    ['a newsletter server', [roles, ''], /can be true for registered-bulk,/],
    ['infrastructure', [roles, ''], /can be true for infrastructure,/],
    [
      'a limit of a registered server',
      ['src.role == customer-dynamic', 'src.role != foreign'],
      /can be true for registered,/,
    ],
    [
      'a limit without a rate',
      ['do: block, ban_time: 1h', 'do: limit, for: 1h'],
      /a limit needs a rate/,
    ],
    [
      'a limit without an end',
      ['do: block, ban_time: 1h', 'do: limit, rate: 25/h'],
      /a limit needs an end/,
    ],
    ['thresholds the wrong way round', ['theta0: 0.2', 'theta0: 0.9'], /0 < theta0 < theta1 < 1/],
  ] as const)('%s', (_, [from, to], expected) => {
    expect(mistakes(good.replace(from, to)).join('\n')).toMatch(expected);
  });

  it('the second action is looked at too', () => {
    const action = 'action: { do: notify, also: { do: block } }';
    expect(mistakes(good.replace(/^action: .*$/m, action)).join()).toMatch(
      /action\.also.*ban_time/,
    );
  });

  it('a role is found through brackets, not and or', () => {
    const where =
      'where: not (src.role in [foreign, infrastructure] or src.role == registered-bulk)';
    const told = mistakes(good.replace(/^where: .*$/m, where)).join('\n');
    expect(told).toMatch(/can be true for registered,/);
    expect(told).not.toMatch(/for infrastructure,|for registered-bulk,/);
  });
});

describe('ways', () => {
  const way =
    'ways:\n' +
    '  - { name: b, on: session.end, where: dst.port == 25, bucket: { type: trigger } }\n';
  const plain = good.replace(/^action: .*$/m, 'action: { do: alert }');
  const tested = plain.replace('expect: { fires: true }', 'expect: { fires: true, way: b }');

  it('what a way does not say is as in its rule', () => {
    const [rule] = readRules([{ path: 'r.yaml', text: `${tested}${way}` }], () => 'x').rules;
    const [other] = rule?.ways ?? [];
    expect(other).toMatchObject({ way: 'b', streams: ['session.end'], grouping: rule?.grouping });
    expect(other?.meta).toEqual(rule?.meta);
    expect(other?.text.quiet).toBe(rule?.text.quiet);
    expect(rule?.way).toBe('');
  });

  it('an action of its own is that of its findings, and brings no corroboration along', () => {
    const own = way.replace('bucket:', 'action: { do: none }, bucket:');
    const two = good.replace(
      /^action: .*$/m,
      'action: { with_corroboration: { do: alert }, without_corroboration: { do: alert } }\n' +
        'corroborate: { any: [complaint], count: 1, within: 6h }',
    );
    const text = `${two.replace('fires: true }', 'fires: true, way: b }')}${own}`;
    const [rule] = readRules([{ path: 'r.yaml', text }], () => 'x').rules;
    expect(rule?.ways[0]?.meta).toMatchObject({ action: { do: 'none' }, corroborate: undefined });
    expect(rule?.meta.corroborate?.any).toEqual(['complaint']);
  });

  it.each([
    ['without a test', plain, way, /r\.yaml:\d+:\d+ ways\.0: .*expect\.way b/],
    ['twice', tested, `${way}${way.replace('ways:\n', '')}`, /there is a way b already/],
    ['that a test makes up', tested.replace('way: b', 'way: c'), way, /there is no way c/],
    ['with a field that is not there', tested, way.replace('.port', '.prt'), /no field dst\.prt/],
    [
      'that would limit anybody',
      tested,
      way.replace('bucket:', 'action: { do: limit, rate: 1/h, for: 1h }, bucket:'),
      /can be true for registered,/,
    ],
  ] as const)('a way %s is refused', (_, rule, ways, expected) => {
    expect(mistakes(`${rule}${ways}`).join('\n')).toMatch(expected);
  });

  it('a mistake in a way is told with its place', () => {
    const told = mistakes(`${tested}${way.replace('dst.port', 'dst.prt')}`).join('\n');
    const line = tested.split('\n').length + 1;
    expect(told).toMatch(new RegExp(`^r\\.yaml:${line}:\\d+ where: there is no field dst\\.prt`));
  });
});

describe('sets', () => {
  it('one id, one rule', () => {
    expect(mistakes(`${good}---\n${good}`).join()).toMatch(/there is a rule a\.one already/);
  });

  it('names of other rules must be there', () => {
    const text = `${good}corroborate: { any: [a.two], count: 1, within: 6h }\n`;
    expect(mistakes(text).join()).toMatch(/corroborate\.any\.0: no rule a\.two/);
    expect(mistakes(`${good}frozen_by: a.two\n`).join()).toMatch(/there is no rule a\.two/);
  });

  it('a list is known to every rule of the set, and its prefixes are checked', () => {
    const rule = good.replace('dst.port == 25', 'dst.ip in providers');
    const list = 'list: providers\nprefixes: [198.51.100.0/24]\n';
    expect(mistakes(`${rule}---\n${list}`)).toEqual([]);
    const wrong = list.replace('.0/24', '.1/24');
    expect(mistakes(`${rule}---\n${wrong}`).join()).toMatch(
      /r\.yaml:\d+:\d+ prefixes\.0: "198\.51\.100\.1\/24"/,
    );
  });

  it('all mistakes come at once, up to fifty', () => {
    const many = Array.from({ length: 80 }, () => good.replace('title: One', 'titel: One')).join(
      '---\n',
    );
    const told = mistakes(many);
    expect(told.length).toBe(51);
    expect(told.at(-1)).toMatch(/^and \d+ more mistakes$/);
  });

  it('an alias bomb is refused, not unfolded', () => {
    const bomb =
      'a: &a [x, x, x, x, x, x, x, x, x]\n' +
      Array.from(
        { length: 9 },
        (_, i) =>
          `b${i}: &b${i} [${Array(9)
            .fill(i === 0 ? '*a' : `*b${i - 1}`)
            .join(', ')}]\n`,
      ).join('');
    expect(mistakes(bomb).length).toBeGreaterThan(0);
  });
});
