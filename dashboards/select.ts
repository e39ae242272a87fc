// Expressions of PromQL for the boards. Names of metrics and of their labels are those of the
// table: a name that does not exist, a label that a metric does not have or the rate of a gauge
// does not compile. What the variables of a board choose is written here, once.

import type {
  CounterName,
  GaugeName,
  HistogramName,
  LabelOf,
  MetricName,
  ProcessName,
} from '../src/metrics/table.js';

/** Values that labels must have: a text means equal, a pattern or a variable means matching. */
export type Match<N extends MetricName> = { readonly [L in LabelOf<N>]?: string | RegExp };

/** What the variables choose. Whoever has no site matches the choice of all. */
export const chosen = 'site=~"$site",sensor=~"$sensor"';

/** What the variable of a board chooses. */
export const direction = { direction: '$direction' } as const;

/** A metric of the chosen sensors. */
export function pick<N extends MetricName>(name: N, match: Match<N> = {}, part = ''): string {
  const words = Object.entries<string | RegExp>(match as Record<string, string | RegExp>).map(
    ([label, value]) => {
      if (typeof value !== 'string') return `${label}=~"${value.source}"`;
      return value.startsWith('$') ? `${label}=~"${value}"` : `${label}="${value}"`;
    },
  );
  return `${name}${part}{${[chosen, ...words].join(',')}}`;
}

/** A second of a counter, of all chosen sensors together. */
export function rate<N extends CounterName>(name: N, match?: Match<N>): string {
  return `sum(rate(${pick(name, match)}[$__rate_interval]))`;
}

/** The same for each value of a label. */
export function rateBy<N extends CounterName>(label: LabelOf<N>, name: N, match?: Match<N>) {
  return `sum by (${label}) (rate(${pick(name, match)}[$__rate_interval]))`;
}

/** How far a counter went in a time, such as 24h. */
export function grown<N extends CounterName>(time: string, name: N, match?: Match<N>): string {
  return `sum(increase(${pick(name, match)}[${time}]))`;
}

export function grownBy<N extends CounterName>(
  time: string,
  label: LabelOf<N>,
  name: N,
  match?: Match<N>,
): string {
  return `sum by (${label}) (increase(${pick(name, match)}[${time}]))`;
}

/** A gauge now, of all chosen sensors together. */
export function sum<N extends GaugeName>(name: N, match?: Match<N>): string {
  return `sum(${pick(name, match)})`;
}

export function sumBy<N extends GaugeName>(label: LabelOf<N>, name: N, match?: Match<N>): string {
  return `sum by (${label}) (${pick(name, match)})`;
}

/** The largest of the chosen sensors. */
export function most<N extends GaugeName>(name: N, match?: Match<N>): string {
  return `max(${pick(name, match)})`;
}

export function mostBy<N extends GaugeName>(label: LabelOf<N>, name: N, match?: Match<N>): string {
  return `max by (${label}) (${pick(name, match)})`;
}

export function least<N extends GaugeName>(name: N, match?: Match<N>): string {
  return `min(${pick(name, match)})`;
}

/** A metric of the process, by sensor. */
export function process(name: ProcessName): string {
  return `max by (sensor) (${name}{${chosen}})`;
}

export function processRate(name: ProcessName & `${string}_total`): string {
  return `sum by (sensor) (rate(${name}{${chosen}}[$__rate_interval]))`;
}

/** What a share of the values does not exceed: 0.5 is the median. */
export function quantile(part: number, name: HistogramName, range = '$__rate_interval'): string {
  const buckets = pick(name, {}, '_bucket');
  return `histogram_quantile(${part}, sum by (le) (rate(${buckets}[${range}])))`;
}

/** One expression as a share of another one, 0 to 1; nothing where that is 0. */
export function share(part: string, whole: string): string {
  return `${part} / (${whole} > 0)`;
}
