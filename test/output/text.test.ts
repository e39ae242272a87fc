// Figures as text: rounding at the edges, where a person would stumble.

import { expect, it } from 'vitest';
import {
  addressText,
  bar,
  count,
  moment,
  percent,
  short,
  size,
  span,
  sparkline,
  wrap,
} from '../../src/output/text.js';

it.each([
  [count(0), '0'],
  [count(999), '999'],
  [count(1_234_567), '1,234,567'],
  [short(999), '999'],
  [short(999.6), '1.00 k'],
  [short(1_999_999), '2.00 M'],
  [size(0), '0 B'],
  [size(1_000), '1.00 kB'],
  [size(123_456_789), '123 MB'],
  [percent(0, 0), '0 %'],
  [percent(1, 100_000), '<0.1 %'],
  [percent(99_999, 100_000), '>99.9 %'],
  [percent(1, 3), '33.3 %'],
  [percent(3, 3), '100 %'],
  [span(0.0004), '0 ms'],
  [span(9.994), '9.99 s'],
  [span(59.4), '59 s'],
  [span(312), '5 min 12 s'],
  [span(3599.7), '1 h 00 min'],
  [span(200_000), '2 d 07 h'],
  [moment(1_700_000_000_000_000), '2023-11-14 22:13:20'],
  [moment(1e30), 'an impossible time'],
  [bar(1, 4), '████'],
  [bar(0, 4), ''],
  [bar(1e-9, 4), '▏'],
  [bar(0.5, 4), '██'],
  [sparkline([0, 1, 8]), ' ▁█'],
  [wrap('one two three', 7, '  '), 'one two\n  three'],
  [addressText([0, 0, 0xffff, 0xcb007105 | 0]), '203.0.113.5'],
  // RFC 5952 section 4.2: the longest run of zeros, the first of equals, never a single group.
  [addressText([0x20010db8, 0, 0, 1]), '2001:db8::1'],
  [addressText([0x20010db8, 0, 0x00010000, 0x00000001]), '2001:db8::1:0:0:1'],
  [addressText([0x20010db8, 0x00000001, 0x00010001, 0x00010001]), '2001:db8:0:1:1:1:1:1'],
  [addressText([0, 0, 0, 1]), '::1'],
])('%s', (is, should) => {
  expect(is).toBe(should);
});
