// Reading and writing prefixes, held to ipaddr.js, which is slower and strict in the same places.

import { isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, it } from 'vitest';
import { clearStrayBits, Prefix, prefixText, readPrefix } from '../../src/lib/prefix.js';

const prefix = new Prefix();

function text(of: string): string | null {
  return readPrefix(of, prefix) ? prefixText(prefix) : null;
}

describe('prefixes as text', () => {
  it.each([
    ['203.0.113.0/24', '203.0.113.0/24'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['255.255.255.255', '255.255.255.255/32'],
    ['2001:DB8::/32', '2001:db8::/32'],
    ['::/0', '::/0'],
    ['::', '::/128'],
    ['1::', '1::/128'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1/128'],
    ['2001:db8:0:1:1:1:1:1/128', '2001:db8:0:1:1:1:1:1/128'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221/128'],
    // An IPv4 address in IPv6 clothes is that IPv4 address.
    ['::ffff:192.0.2.0/120', '192.0.2.0/24'],
    ['::ffff:0:0/96', '0.0.0.0/0'],
  ])('%s is %s', (written, read) => {
    expect(text(written)).toBe(read);
  });

  it.each([
    '',
    '/',
    '/24',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.',
    '.1.2.3',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.4/',
    '1.2.3.4/33',
    '1.2.3.4/024',
    '1.2.3.4/-1',
    '1.2.3.4/ 8',
    '1.2.3.4/8/8',
    ' 1.2.3.4',
    '1.2.3.4 ',
    '1.2.3.0x4',
    '1..2.3',
    ':',
    ':::',
    '1:',
    ':1',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8:9',
    '12345::',
    'g::',
    '::/129',
    '::1.2.3',
    '::1.2.3.4.5',
    '::1.2.3.4:1',
    '1:2:3:4:5:6:7:1.2.3.4',
    'fe80::1%eth0',
    '::1/64/',
    '1.2.3.4\0',
    '１.2.3.4',
  ])('%j is none', (written) => {
    expect(text(written)).toBe(null);
  });

  it('all eight groups and :: for one of them', () => {
    expect(text('1:2:3:4:5:6:7::')).toBe('1:2:3:4:5:6:7:0/128');
    expect(text('::2:3:4:5:6:7:8')).toBe('0:2:3:4:5:6:7:8/128');
  });

  it('bits behind the length are cleared and told', () => {
    const stray = (written: string) => readPrefix(written, prefix) && clearStrayBits(prefix);
    expect(stray('203.0.113.0/24')).toBe(false);
    expect(stray('203.0.113.1/24')).toBe(true);
    expect(prefixText(prefix)).toBe('203.0.113.0/24');
    expect(stray('2001:db8:8000::/32')).toBe(true);
    expect(prefixText(prefix)).toBe('2001:db8::/32');
    expect(stray('128.0.0.0/0')).toBe(true);
  });
});

it('reads what ipaddr.js reads, and writes it alike', () => {
  const groups = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), {
    minLength: 8,
    maxLength: 8,
  });
  fc.assert(
    fc.property(groups, fc.boolean(), (parts, short) => {
      const address = new ipaddr.IPv6(parts);
      const written = short ? address.toRFC5952String() : address.toNormalizedString();
      const mapped = address.isIPv4MappedAddress();
      const expected = mapped
        ? `${address.toIPv4Address().toString()}/32`
        : `${address.toRFC5952String()}/128`;
      expect(text(written)).toBe(expected);
    }),
  );
});

it('accepts no text that is not an address to Node', () => {
  const pieces = fc.constantFrom('0', '1', '25', '255', '256', 'ff', 'fffff', ':', '::', '.', '/');
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 17 }), (some) => {
      const written = some.join('');
      const read = readPrefix(written, prefix);
      const [address = '', length, ...more] = written.split('/');
      const most = isIPv4(address) ? 32 : 128;
      const known = isIPv4(address) || isIPv6(address);
      const fits = length === undefined || (/^(0|[1-9]\d*)$/.test(length) && +length <= most);
      expect(read).toBe(known && fits && more.length === 0);
    }),
    { numRuns: 2000 },
  );
});
