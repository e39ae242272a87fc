// The figures of a `stats` event as Prometheus or OpenMetrics text. Values are taken when somebody
// asks: nothing is counted a second time, and the hot paths know nothing of this.

import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { type Metric, metrics } from './table.js';

/** What a `stats` event has under `stats`. */
export type Figures = Readonly<Record<string, unknown>>;

/** A text and its media type. */
export interface Exposition {
  readonly type: string;
  readonly text: string;
}

/** Values of one star; more are left out, so that the number of series has a limit. */
const valuesMax = 128;

/** Gauges of the library that are named as counters; promtool complains of them. */
const misnamed = ['handles', 'requests', 'resources'].map((what) => `nodejs_active_${what}_total`);

const openMetrics = /application\/openmetrics-text/;

export class Metrics {
  readonly #prometheus = new Registry();
  readonly #openMetrics = new Registry();
  readonly #read: () => Figures;
  #figures: Figures = {};

  /** `read` is called once a scrape; the sensor's name is on every series. */
  constructor(read: () => Figures, { version, sensor }: { version: string; sensor: string }) {
    this.#read = read;
    this.#openMetrics.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
    const registers = [this.#prometheus, this.#openMetrics];
    for (const registry of registers) registry.setDefaultLabels({ sensor });
    collectDefaultMetrics({ register: this.#prometheus });
    for (const name of misnamed) this.#prometheus.removeSingleMetric(name);
    for (const metric of this.#prometheus.getMetricsAsArray()) {
      this.#openMetrics.registerMetric(this.#prometheus.getSingleMetric(metric.name)!);
    }
    const name = 'mailweir_build_info';
    const help = 'The version that runs; always 1.';
    new Gauge({ name, help, labelNames: ['version'], registers }).set({ version }, 1);
    for (const [name, metric] of Object.entries<Metric>(metrics)) {
      this.#register(registers, name, metric);
    }
  }

  /** What a scrape gets: OpenMetrics where its `Accept` header asks for that. */
  async scrape(accept: string): Promise<Exposition> {
    this.#figures = this.#read();
    const registry = openMetrics.test(accept) ? this.#openMetrics : this.#prometheus;
    return { type: registry.contentType, text: await registry.metrics() };
  }

  #register(registers: Registry[], name: string, metric: Metric): void {
    const labels = metric.labels ?? [];
    const path = metric.at.split('.');
    const options = { name, help: metric.help, labelNames: [...labels], registers };
    const each = (take: (words: Record<string, string>, value: number) => void) => {
      for (const [keys, value] of valuesAt(this.#figures, path)) {
        const words = Object.fromEntries(labels.map((label, index) => [label, keys[index]!]));
        take(words, value * (metric.scale ?? 1));
      }
    };
    if (metric.type === 'gauge') {
      const gauge: Gauge = new Gauge({
        ...options,
        collect: () => {
          gauge.reset();
          if (labels.length === 0) gauge.remove();
          each((words, value) => gauge.set(words, value));
        },
      });
      return;
    }
    const counter: Counter = new Counter({
      ...options,
      collect: () => {
        counter.reset();
        if (labels.length === 0) counter.remove();
        each((words, value) => counter.inc(words, value));
      },
    });
  }
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
