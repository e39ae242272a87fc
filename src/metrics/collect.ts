// The figures of a `stats` event, and what is counted beside them, as Prometheus or OpenMetrics
// text. Values are taken when somebody asks: nothing is counted a second time, and the hot paths
// know nothing of this.

import { collectDefaultMetrics, type Metric as Registered, Registry } from 'prom-client';
import { Histogram, type HistogramFigures } from '../lib/histogram.js';
import { type Metric, metrics } from './table.js';

/** What a `stats` event has under `stats`, and what is counted for the metrics alone. */
export type Figures = Readonly<Record<string, unknown>>;

/** A text and its media type. */
export interface Exposition {
  readonly type: string;
  readonly text: string;
}

export interface About {
  readonly version: string;
  /** On every series. */
  readonly sensor: string;
  readonly site?: string | undefined;
}

/** Values of one star; more are left out, so that the number of series has a limit. */
const valuesMax = 128;
/** Series of one metric, where several stars multiply. */
const seriesMax = 256;

/** Gauges of the library that are named as counters; promtool complains of them. */
const misnamed = ['handles', 'requests', 'resources'].map((what) => `nodejs_active_${what}_total`);

const scrapeBounds_s = [0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25];

const openMetrics = /application\/openmetrics-text/;

export class Metrics {
  readonly #prometheus = new Registry();
  readonly #openMetrics = new Registry();
  readonly #read: () => Figures;
  readonly #took = new Histogram(scrapeBounds_s);
  #figures: Figures = {};

  /** `read` is called once a scrape. */
  constructor(read: () => Figures, { version, sensor, site }: About) {
    this.#read = read;
    this.#openMetrics.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
    const library = new Registry();
    collectDefaultMetrics({ register: library });
    const info = { help: 'The version that runs; always 1.', type: 'gauge' } as const;
    for (const registry of [this.#prometheus, this.#openMetrics]) {
      registry.setDefaultLabels({ sensor, ...(site !== undefined && { site }) });
      // The library takes `_total` off a name for OpenMetrics and would never put it back, so each
      // registry has objects of its own.
      const tell = (told: Told) => registry.registerMetric(told as unknown as Registered);
      for (const metric of library.getMetricsAsArray()) {
        if (misnamed.includes(metric.name)) continue;
        const own = library.getSingleMetric(metric.name)!;
        tell(
          new Told(metric.name, metric as never, async () => (await own.get()).values as Value[]),
        );
      }
      tell(new Told('mailweir_build_info', info, () => [{ labels: { version }, value: 1 }]));
      for (const [name, metric] of Object.entries<Metric>(metrics)) {
        tell(new Told(name, metric, () => valuesOf(name, metric, this.#figures)));
      }
    }
  }

  /** What a scrape gets: OpenMetrics where its `Accept` header asks for that. */
  async scrape(accept: string): Promise<Exposition> {
    const began = performance.now();
    this.#figures = { ...this.#read(), scrape: this.#took.figures };
    const registry = openMetrics.test(accept) ? this.#openMetrics : this.#prometheus;
    const text = await registry.metrics();
    this.#took.observe((performance.now() - began) / 1000);
    return { type: registry.contentType, text };
  }
}

/** One line of the text. */
interface Value {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** A metric as the library's registry takes it, whose values are read when somebody asks. */
class Told {
  name: string;
  readonly help: string;
  readonly type: string;
  readonly aggregator = 'sum';
  readonly #read: () => Value[] | Promise<Value[]>;

  constructor(
    name: string,
    { help, type }: Pick<Metric, 'help' | 'type'>,
    read: () => Value[] | Promise<Value[]>,
  ) {
    this.name = name;
    this.help = help;
    this.type = type;
    this.#read = read;
  }

  async get(): Promise<object> {
    const { name, help, type, aggregator } = this;
    return { name, help, type, aggregator, values: await this.#read() };
  }
}

function valuesOf(name: string, { type, at, labels = [], scale = 1 }: Metric, figures: Figures) {
  const path = at.split('.');
  if (type === 'histogram') return bucketsOf(name, figureAt(figures, path));
  return valuesAt(figures, path)
    .slice(0, seriesMax)
    .map(([keys, value]): Value => {
      const words = Object.fromEntries(labels.map((label, index) => [label, keys[index]!]));
      return { labels: words, value: value * scale };
    });
}

/** A histogram's lines: each bucket has what is in the smaller ones too. */
function bucketsOf(name: string, figures: unknown): Value[] {
  const { bounds, counts, sum } = (figures ?? {}) as Partial<HistogramFigures>;
  if (bounds === undefined || counts === undefined || sum === undefined) return [];
  let total = 0;
  const buckets = counts.map((count, index): Value => {
    total += count;
    const labels = { le: bounds[index] ?? '+Inf' };
    return { metricName: `${name}_bucket`, labels, value: total };
  });
  const part = (metricName: string, value: number): Value => ({ metricName, labels: {}, value });
  return [...buckets, part(`${name}_sum`, sum), part(`${name}_count`, total)];
}

/** What stands at a path without stars. */
function figureAt(figures: unknown, path: readonly string[]): unknown {
  let found = figures;
  for (const step of path) found = (found as Figures | undefined | null)?.[step];
  return found;
}

/** Numbers at a path, each with the keys that stood for its stars; an array has its length. */
export function valuesAt(figures: unknown, path: readonly string[]): [string[], number][] {
  const [step, ...rest] = path;
  if (step === undefined) {
    const value = Array.isArray(figures) ? figures.length : figures;
    return typeof value === 'number' && Number.isFinite(value) ? [[[], value]] : [];
  }
  if (typeof figures !== 'object' || figures === null) return [];
  if (step !== '*') return valuesAt((figures as Figures)[step], rest);
  return Object.entries(figures)
    .slice(0, valuesMax)
    .flatMap(([key, below]) =>
      valuesAt(below, rest).map(([keys, value]): [string[], number] => [[key, ...keys], value]),
    );
}
