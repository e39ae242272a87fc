// What the API tells beside the list: what the register says, what sources did lately, how the
// daemon is. It follows the rows and the law, and changes nothing.

import { hostname } from 'node:os';
import type { RowSink } from '../batch/row.js';
import type { Prefix } from '../lib/prefix.js';
import { Activity } from '../metrics/activity.js';
import type { Figures } from '../metrics/collect.js';
import { History } from '../metrics/history.js';
import { RegisterView } from '../register/view.js';
import type { Surroundings } from '../serve/http/sources.js';
import type { DaemonState } from '../serve/http/state.js';
import type { Law } from './judge.js';

export class Around implements RowSink, Surroundings {
  readonly #figures: () => Figures;
  readonly #activity = new Activity();
  readonly #history: History;
  #law: Law;
  #register: RegisterView;

  /** `figures` are those of a `stats` event at this moment. */
  constructor(law: Law, figures: () => Figures) {
    this.#law = law;
    this.#register = new RegisterView(law.register, law.config.profiles);
    this.#figures = figures;
    this.#history = new History(figures);
  }

  rows(area: ArrayBuffer, length: number): void {
    this.#activity.rows(area, length);
  }

  /** Goes by another law. */
  use(law: Law): void {
    this.#law = law;
    this.#register = new RegisterView(law.register, law.config.profiles);
  }

  state(): DaemonState {
    const { sensor = hostname(), rules, capture } = this.#law.config;
    return {
      sensor,
      mode: rules.mode,
      tapSide: capture.tap_side,
      figures: this.#figures(),
      history: this.#history.view(),
      activity: this.#activity.of(null),
    };
  }

  standing(prefix: Prefix, time: number): object {
    return this.#register.standing(prefix, time);
  }

  activity(prefix: Prefix | null): object {
    return this.#activity.of(prefix);
  }

  talkers(...asked: Parameters<Activity['top']>): readonly object[] {
    return this.#activity.top(...asked);
  }

  register(...asked: Parameters<RegisterView['page']>): object {
    return this.#register.page(...asked);
  }

  close(): void {
    this.#history.close();
  }
}
