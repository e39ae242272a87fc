// Small pictures in the text: how a figure went, how large a share is. Each says in words what it
// shows.

import { h, svg } from './dom.js';
import { short } from './words.js';

const width = 120;
const height = 30;

/** A line over time with what lies below it; gaps where a value is null. */
export function sparkline(values: readonly (number | null)[], what: string): SVGSVGElement {
  const known = values.filter((value): value is number => value !== null);
  const most = Math.max(...known, 0);
  const label =
    known.length < 2
      ? `${what}: not enough seen for a picture yet`
      : `${what}: now ${short(known.at(-1)!)}, at most ${short(most)}`;
  const picture = svg('svg', {
    class: 'spark',
    viewBox: `0 0 ${width} ${height}`,
    preserveAspectRatio: 'none',
    role: 'img',
    'aria-label': label,
  });
  if (known.length < 2) {
    picture.append(svg('line', { x1: 0, y1: height - 1, x2: width, y2: height - 1 }));
    return picture;
  }
  const x = (at: number) => ((at / (values.length - 1)) * width).toFixed(1);
  const y = (value: number) => (height - 2 - (value / (most || 1)) * (height - 4)).toFixed(1);
  let line = '';
  let area = '';
  values.forEach((value, at) => {
    if (value === null) return;
    const isFirst = at === 0 || values[at - 1] === null;
    line += `${isFirst ? 'M' : 'L'}${x(at)} ${y(value)}`;
    area += isFirst ? `M${x(at)} ${height}L${x(at)} ${y(value)}` : `L${x(at)} ${y(value)}`;
    const isLast = at === values.length - 1 || values[at + 1] === null;
    if (isLast) area += `L${x(at)} ${height}Z`;
  });
  picture.append(svg('path', { class: 'area', d: area }), svg('path', { class: 'line', d: line }));
  return picture;
}

/** Bars side by side in the same order of colours: how much of what, step by step. */
export function bars(
  steps: readonly (readonly number[])[],
  classes: readonly string[],
  what: string,
): SVGSVGElement {
  const sums = steps.map((step) => step.reduce((sum, value) => sum + value, 0));
  const most = Math.max(...sums, 1);
  const picture = svg('svg', {
    class: 'bars',
    viewBox: `0 0 ${Math.max(steps.length, 1) * 10} 60`,
    preserveAspectRatio: 'none',
    role: 'img',
    'aria-label': what,
  });
  steps.forEach((step, at) => {
    let top = 60;
    step.forEach((value, kind) => {
      if (value === 0) return;
      const tall = Math.max(1, (value / most) * 58);
      top -= tall;
      const place = { x: at * 10 + 1, y: top.toFixed(1), width: 8, height: tall.toFixed(1) };
      picture.append(svg('rect', { ...place, class: classes[kind] ?? '' }));
    });
  });
  return picture;
}

/** A share as a filled line. */
export function meter(share: number, what: string, tone = ''): SVGSVGElement {
  const wide = Math.max(0, Math.min(1, share)) * 100;
  return svg(
    'svg',
    {
      class: `meter ${tone}`,
      viewBox: '0 0 100 6',
      preserveAspectRatio: 'none',
      role: 'img',
      'aria-label': what,
    },
    svg('rect', { class: 'rest', width: 100, height: 6 }),
    svg('rect', { class: 'full', width: wide.toFixed(1), height: 6 }),
  );
}

/** A mark before a word, so that no meaning hangs on a colour alone. */
export function mark(tone: string): HTMLElement {
  const signs: Readonly<Record<string, string>> = { good: '✓', warn: '!', bad: '✕', unknown: '?' };
  return h('span', { class: `mark ${tone}`, 'aria-hidden': 'true' }, signs[tone] ?? '·');
}
