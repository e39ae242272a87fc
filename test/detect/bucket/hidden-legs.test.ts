// Open relays whose second leg is encrypted: what of a session's outside makes a match, and that
// such matches never prove anything.

import { expect, it } from 'vitest';
import { RowEncoder } from '../../../bench/generate/rows.js';
import { Outcome, Protocol, StartTls } from '../../../src/batch/row.js';
import { loadRules, shippedRules } from '../../../src/cli/rule-folder.js';
import { testNetwork } from '../../../src/cli/rule-tests.js';
import { Detectors, detectorDefaults } from '../../../src/detect/detectors.js';
import { ReplyClass } from '../../../src/smtp/reply-class.js';
import { FindingRecorder } from '../../helper/findings.js';

const { register } = await testNetwork();
const { rules, lists } = loadRules(shippedRules);
const relayRule = { rules: rules.filter(({ meta }) => meta.id === 'core.open-relay'), lists };
const begin = 1_714_521_600;
const address = (a: number, b: number, c: number, d: number) => [
  0,
  0,
  0xffff,
  (a << 24) | (b << 16) | (c << 8) | d,
];
const relay = address(203, 0, 113, 228);
const stranger = address(198, 51, 100, 7);
/** The server that takes mail of d1.example, d2.example, ... */
const server = (n: number, host = 1) => address(192, 0, n, host);
const mailBytes = 3000;

class Wire {
  readonly recorder = new FindingRecorder();
  readonly #detectors: Detectors;
  readonly #rows = new RowEncoder();
  #flow = 0;

  constructor() {
    const options = { ...detectorDefaults, subjects: 1000 };
    this.#detectors = new Detectors(relayRule, register, this.recorder, options);
  }

  /** A mail for dN.example, taken in clear at `second` after the beginning. */
  mail(client: readonly number[], to: readonly number[], n: number, second: number): this {
    const hash = [++this.#flow, n, 3, 4];
    this.#rows.transaction({
      client,
      server: to,
      flow: [1, this.#flow],
      time: (begin + second) * 1e6,
      mailFrom: 'a@offers.example',
      outcome: Outcome.accepted,
      bytes: mailBytes,
      rcpts: [{ address: `u@d${n}.example`, code: 250, class: ReplyClass.ok, hash }],
    });
    return this.#hand();
  }

  /** An encrypted session of the relay that ends at `second`. */
  session(
    to: readonly number[],
    second: number,
    { bytes = mailBytes + 900, sni = '', isHidden = true } = {},
  ): this {
    this.#rows.session({
      client: relay,
      server: to,
      flow: [1, ++this.#flow],
      time: (begin + second) * 1e6,
      startTls: isHidden ? StartTls.established : StartTls.none,
      protocol: Protocol.smtp,
      helo: 'mx.works.example',
      sni,
      bytesToServer: bytes,
    });
    return this.#hand();
  }

  #hand(): this {
    this.#detectors.rows(this.#rows.area, this.#rows.length);
    this.#rows.clear();
    return this;
  }

  get proof(): string | undefined {
    return this.recorder.findings.at(-1)?.proof;
  }
}

/** First legs to four domains; then another own server is seen to deliver to them in clear. */
function given(isLearnt: boolean): Wire {
  const wire = new Wire();
  for (let n = 1; n <= 4; n++) wire.mail(stranger, relay, n, n);
  const other = address(203, 0, 113, 226);
  for (let n = 1; n <= 4 && isLearnt; n++) wire.mail(other, server(n), n, 10 + n);
  return wire;
}

const four = [1, 2, 3, 4];

it.each([
  ['to servers that take mail for those domains', true, {}, 'probable'],
  ['to servers of which nothing is known', false, {}, 'suspected'],
  ['too small to hold the mail', true, { bytes: 2000 }, 'suspected'],
  ['not encrypted, and nothing was seen in it', true, { isHidden: false }, 'suspected'],
  ['to a name of another domain', false, { sni: 'mx.other.example' }, 'suspected'],
] as const)('sessions %s', (_, isLearnt, how, proof) => {
  const wire = given(isLearnt);
  for (const n of four) wire.session(server(n, 9), 60 + n, how);
  expect(wire.proof).toBe(proof);
});

it('the name that TLS asks for may be the domain, or under it', () => {
  const wire = given(false);
  wire.session(server(1), 61, { sni: 'mx.D1.example' });
  wire.session(server(2), 62, { sni: 'd2.example' });
  expect(wire.proof).toBe('suspected');
  wire.session(server(3), 63, { sni: 'xd3.example' });
  expect(wire.proof).toBe('suspected');
  wire.session(server(3), 64, { sni: 'a.b.d3.example' });
  expect(wire.proof).toBe('probable');
  expect(wire.recorder.findings.at(-1)?.evidence).toMatchObject({ encrypted: 3, passed_on: 0 });
});

it('what comes after a quarter of an hour is no second leg', () => {
  const wire = given(true);
  for (const n of four) wire.session(server(n), 920 + n);
  expect(wire.proof).toBe('suspected');
});

it('a session stands for one mail, and a mail for one session', () => {
  const wire = given(true);
  for (let again = 0; again < 20; again++) wire.session(server(1), 61 + again);
  expect(wire.proof).toBe('suspected');
});

it('however many there are, nothing is confirmed', () => {
  const wire = given(true);
  for (let n = 1; n <= 50; n++) {
    wire.mail(stranger, relay, n, 100 + n * 10).mail(relay, server(n), n + 100, 101 + n * 10);
    wire.session(server(n), 103 + n * 10, { sni: `mx.d${n}.example` });
  }
  expect(wire.recorder.findings.map(({ proof }) => proof)).not.toContain('confirmed');
  expect(wire.proof).toBe('probable');
});
