// What is counted beside the figures of a `stats` event, for the metrics alone: mail by direction,
// what was said about it by rule, and the register's clocks.

import type { Alert, AlertSink, Decision, DecisionSink } from '../decide/decision.js';
import type { ProfileName } from '../register/profile.js';
import type { Register } from '../register/register.js';
import { type ClockFigures, Clocks } from './clocks.js';
import { type MailFigures, MailTally } from './mail.js';
import { openFigures, type VerdictFigures, VerdictTally } from './verdicts.js';

/** What a tally goes by; another one from the next row on. */
export interface Basis {
  readonly register: Register;
  readonly config: { readonly profiles: readonly ProfileName[] };
}

export interface TallyFigures {
  readonly mail: MailFigures;
  readonly verdicts: VerdictFigures;
  readonly open: ReturnType<typeof openFigures>;
  readonly register: ClockFigures;
}

export class Tally implements AlertSink, DecisionSink {
  readonly #mail = new MailTally();
  readonly #verdicts = new VerdictTally();
  readonly #clocks = new Clocks();
  #basis: Basis;

  constructor(basis: Basis) {
    this.#basis = basis;
  }

  use(basis: Basis): void {
    this.#basis = basis;
  }

  rows(area: ArrayBuffer, length: number): void {
    this.#mail.rows(area, length, this.#basis.register);
  }

  alert(alert: Alert): void {
    this.#verdicts.alert(alert);
  }

  decision(decision: Decision): void {
    this.#verdicts.decision(decision);
  }

  /** As of a time of the wall or of the packets, microseconds, with the decisions in force. */
  figures(time: number, open: readonly Decision[]): TallyFigures {
    const { register, config } = this.#basis;
    return {
      mail: this.#mail.figures(register),
      verdicts: this.#verdicts.figures,
      open: openFigures(open),
      register: this.#clocks.figures(register, config.profiles, time),
    };
  }
}
