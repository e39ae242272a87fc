// Rows into EVE-shaped NDJSON, the events of contracts section 2. Field order is the contract's.

import { createHmac, randomBytes } from 'node:crypto';
import { At, AtSession, AtTx, RowCursor, RowKind, type RowSink } from '../batch/row.js';
import { noLabel } from '../batch/writer.js';
import type { Alert, AlertSink, Decision, DecisionSink } from '../decide/decision.js';
import { anomalyNames } from '../smtp/anomaly.js';
import { labelNames } from '../smtp/label.js';
import { AddressText } from './address.js';
import { fieldWords, Kind, Part, pieces, sessionFields, transactionFields } from './fields.js';
import { JsonText, Piece } from './json.js';
import type { Stats } from './stats.js';
import { Timestamp } from './timestamp.js';
import { alertFields, decisionFields, type Fields } from './verdict.js';

export interface EveOptions {
  /** Print mailbox addresses clear; otherwise the local part is "~" and a keyed hash. */
  readonly clear: boolean;
  readonly sensor: string | undefined;
  /** Key of the hash; random, so different at every start, unless given. */
  readonly key?: Buffer;
}

/** Where lines go. */
export interface EveOut {
  write(bytes: Buffer, length: number): void;
}

const quote = 34;
const comma = 44;
const bracketEnd = 93;
const brace = 125;

// Whole pieces of text by number, made once.
const labelTexts = labelNames.map((name) => new Piece(`,"email":{"label":"${name}"`));
const anomalyTexts = anomalyNames.map((name) => new Piece(`"${name}":`));
const text = {
  timestamp: new Piece('{"timestamp":"'),
  vlan: new Piece(',"vlan":['),
  codes: new Piece('],"rcpt_codes":['),
  finals: new Piece(',"final_codes":['),
  labelCode: new Piece(',"label_code":'),
  auth: new Piece(',"auth":{"mechanism":'),
  code: new Piece(',"code":'),
  attempts: new Piece(',"attempts":'),
  tls: new Piece(',"tls":{'),
  sni: new Piece('"sni":'),
  version: new Piece('"version":'),
  ja4: new Piece(',"ja4":'),
};

/** Lines are handed over when this many bytes have come together. */
const portionBytes = 192 * 1024;

/** An alert or a decision that waits for its place among the rows. */
interface Verdict {
  readonly time: number;
  readonly type: string;
  readonly fields: Fields;
}

export class EveWriter implements RowSink, AlertSink, DecisionSink {
  readonly #out: EveOut;
  readonly #clear: boolean;
  readonly #key: Buffer;
  readonly #sensor: Piece;
  readonly #row = new RowCursor();
  readonly #json = new JsonText(256 * 1024);
  readonly #address = new AddressText();
  readonly #timestamp = new Timestamp();
  /** Where in the row's texts the next one begins; where its label's code stands. */
  #at = 0;
  #labelAt = 0;
  #verdicts: Verdict[] = [];
  /** Time of the latest event, microseconds: an alert or a decision is never earlier. */
  #latest = 0;

  constructor(out: EveOut, options: EveOptions) {
    this.#out = out;
    this.#clear = options.clear;
    this.#key = options.key ?? randomBytes(32);
    const { sensor } = options;
    this.#sensor = new Piece(sensor === undefined ? '' : `,"sensor":${JSON.stringify(sensor)}`);
  }

  /** Writes an event for each row. */
  rows(area: ArrayBuffer, length: number): void {
    this.#row.open(area, length);
    while (this.#row.next()) {
      if (this.#verdicts.length > 0) this.#writeVerdicts(this.#row.time);
      if (this.#row.kind === RowKind.transaction) {
        this.#at = this.#row.transactionTexts;
        this.#fields(transactionFields);
      } else if (this.#row.kind === RowKind.session) {
        this.#at = this.#row.sessionTexts;
        this.#fields(sessionFields);
      }
      if (this.#row.time > this.#latest) this.#latest = this.#row.time;
      if (this.#json.length > portionBytes) this.#handOver();
    }
    this.flush();
  }

  /**
   * Alerts and decisions about rows are given before the rows are; each is written behind the
   * last row that is not later than it.
   */
  alert(alert: Alert): void {
    this.#verdicts.push({
      time: alert.time,
      type: ',"event_type":"alert"',
      fields: alertFields(alert),
    });
  }

  decision(decision: Decision): void {
    this.#verdicts.push({
      time: decision.time,
      type: ',"event_type":"decision"',
      fields: decisionFields(decision),
    });
  }

  /** Writes the alerts and decisions that still wait, and hands everything over. */
  flush(): void {
    this.#writeVerdicts(Number.POSITIVE_INFINITY);
    this.#handOver();
  }

  /** Writes the `stats` event; `time` in microseconds. */
  stats(stats: Stats, time: number): void {
    this.#writeVerdicts(Number.POSITIVE_INFINITY);
    this.#rare(time, ',"event_type":"stats"', { stats });
    this.#handOver();
  }

  /** Writes the verdicts that waited and are earlier than `time`. */
  #writeVerdicts(time: number): void {
    let done = 0;
    for (const verdict of this.#verdicts) {
      if (verdict.time >= time) break;
      this.#latest = Math.max(this.#latest, verdict.time);
      this.#rare(this.#latest, verdict.type, verdict.fields);
      done += 1;
    }
    if (done > 0) this.#verdicts = this.#verdicts.slice(done);
  }

  /** An event that is made of an object, because it is rare. */
  #rare(time: number, type: string, fields: Fields): void {
    this.#begin(time, type);
    const text = `,${JSON.stringify(fields).slice(1)}\n`;
    this.#json.growFor(text.length * 3);
    this.#json.length += this.#json.bytes.write(text, this.#json.length, 'utf8');
  }

  #handOver(): void {
    if (this.#json.length > 0) this.#out.write(this.#json.bytes, this.#json.length);
    this.#json.length = 0;
  }

  #begin(time: number, type: string): void {
    const json = this.#json;
    json.raw(text.timestamp);
    this.#timestamp.write(json, time);
    json.mark(quote);
    json.length += json.bytes.write(type, json.length, 'latin1');
    json.raw(this.#sensor);
  }

  /** Writes one event: the row's fields as the list says. */
  // long: one case for each kind of field
  #fields(fields: Int32Array): void {
    const row = this.#row;
    const json = this.#json;
    for (let i = 0; i < fields.length; i += fieldWords) {
      const at = fields[i + 1]!;
      const before = pieces[fields[i + 2]!]!;
      switch (fields[i]) {
        case Kind.text:
          json.raw(before);
          break;
        case Kind.code:
          if (row.word(at) <= 0) continue;
          json.raw(before);
          json.number(row.word(at));
          break;
        case Kind.word:
          json.raw(before);
          json.number(row.word(at));
          break;
        case Kind.high:
          json.raw(before);
          json.number(row.word(at) >>> 16);
          break;
        case Kind.low:
          json.raw(before);
          json.number(row.word(at) & 0xffff);
          break;
        case Kind.size:
          if (row.double(at) < 0) continue;
          json.raw(before);
          json.number(row.double(at));
          break;
        case Kind.double:
          json.raw(before);
          json.number(row.double(at));
          break;
        case Kind.time:
          json.raw(before);
          json.mark(quote);
          this.#timestamp.write(json, row.double(at));
          json.mark(quote);
          break;
        case Kind.string:
          if (row.word(at) < 0) continue;
          json.raw(before);
          this.#string(row.word(at));
          break;
        case Kind.name:
          json.raw(this.#named(row.word(at), fields[i + 2]!, fields[i + 3]!));
          continue;
        case Kind.address:
          json.raw(before);
          this.#address.write(json, row, at);
          json.mark(quote);
          break;
        default:
          this.#part(at, before);
      }
      if (fields[i + 3]! >= 0) json.raw(pieces[fields[i + 3]!]!);
    }
  }

  #named(word: number, first: number, bits: number): Piece {
    return pieces[first + ((word >> (bits & 0xff)) & (bits >> 8))]!;
  }

  /** The next text of the row, `length` bytes of it. */
  #string(length: number): void {
    this.#json.string(this.#row.bytes, this.#at, this.#at + length);
    this.#at += length;
  }

  // long: one case for each part
  #part(part: number, before: Piece): void {
    const row = this.#row;
    const json = this.#json;
    if (part === Part.mailFrom && row.word(AtTx.mailFrom) === -2) {
      this.#labelAt = this.#at;
      this.#at += row.word(AtTx.labelCode);
      return;
    }
    json.raw(before);
    switch (part) {
      case Part.sensor:
        json.raw(this.#sensor);
        break;
      case Part.flowId:
        json.number64(row.word(At.flowHigh), row.word(At.flowLow) >>> 0);
        break;
      case Part.vlan:
        this.#vlan();
        break;
      case Part.mailFrom:
        this.#mailbox(row.word(AtTx.mailFrom));
        this.#labelAt = this.#at;
        this.#at += row.word(AtTx.labelCode);
        break;
      case Part.recipients:
        this.#recipients();
        break;
      case Part.finals:
        this.#finals();
        break;
      case Part.label:
        this.#label();
        break;
      case Part.auth:
        this.#auth();
        break;
      case Part.tls:
        this.#tls();
        break;
      case Part.duration:
        json.number(Math.round((row.time - row.started) / 1000));
        break;
      default:
        this.#anomalies();
    }
  }

  #vlan(): void {
    const row = this.#row;
    if (row.vlanCount === 0) return;
    this.#json.raw(text.vlan);
    for (let i = 0; i < row.vlanCount; i++) {
      if (i > 0) this.#json.mark(comma);
      this.#json.number(row.vlan(i));
    }
    this.#json.mark(bracketEnd);
  }

  #recipients(): void {
    const row = this.#row;
    const json = this.#json;
    const count = row.rcptCount;
    for (let i = 0; i < count; i++) {
      if (i > 0) json.mark(comma);
      this.#mailbox(row.rcptLength(i));
    }
    json.raw(text.codes);
    for (let i = 0; i < count; i++) {
      if (i > 0) json.mark(comma);
      this.#codeOrNull(row.rcptCode(i));
    }
    json.mark(bracketEnd);
  }

  #finals(): void {
    if (this.#row.greeting !== 3) return;
    const count = this.#row.word(AtTx.finalCodes);
    this.#json.raw(text.finals);
    for (let i = 0; i < count; i++) {
      if (i > 0) this.#json.mark(comma);
      this.#codeOrNull(this.#row.finalCode(i));
    }
    this.#json.mark(bracketEnd);
  }

  #codeOrNull(code: number): void {
    if (code === 0) this.#json.nothing();
    else this.#json.number(code);
  }

  #label(): void {
    const row = this.#row;
    if (row.label === noLabel) return;
    this.#json.raw(labelTexts[row.label]!);
    const length = row.word(AtTx.labelCode);
    if (length > 0) {
      this.#json.raw(text.labelCode);
      this.#json.string(row.bytes, this.#labelAt, this.#labelAt + length);
    }
    this.#json.mark(brace);
  }

  /** The row's next text as a mailbox, `length` bytes of it; null if that is -1. */
  #mailbox(length: number): void {
    if (length < 0) this.#json.nothing();
    else if (this.#clear || length === 0) this.#string(length);
    else this.#hidden(length);
  }

  /** The local part as "~" and 16 digits of its keyed hash, the domain clear. */
  #hidden(length: number): void {
    const json = this.#json;
    const bytes = this.#row.bytes;
    const from = this.#at;
    const to = from + length;
    this.#at = to;
    const at = bytes.lastIndexOf(64, to - 1);
    const local = at >= from ? at : to;
    const hash = createHmac('sha256', this.#key).update(bytes.subarray(from, local)).digest('hex');
    json.mark(quote);
    json.growFor(17);
    json.length += json.bytes.write(`~${hash.slice(0, 16)}`, json.length, 'latin1');
    if (local === to) {
      json.mark(quote);
      return;
    }
    const start = json.length;
    json.string(bytes, local, to);
    // The domain follows in the same string: its opening quote goes.
    json.bytes.copyWithin(start, start + 1, json.length);
    json.length -= 1;
  }

  #auth(): void {
    const row = this.#row;
    const json = this.#json;
    const mechanism = row.word(AtSession.mechanism);
    if (mechanism < 0) return;
    json.raw(text.auth);
    if (mechanism === 0) json.nothing();
    else this.#string(mechanism);
    json.raw(text.code);
    this.#codeOrNull(row.word(AtSession.authCode));
    json.raw(text.attempts);
    json.number(row.word(AtSession.authAttempts));
    json.mark(brace);
  }

  #tls(): void {
    const row = this.#row;
    const json = this.#json;
    const sni = row.word(AtSession.sni);
    const version = row.word(AtSession.version);
    const ja4 = row.word(AtSession.ja4);
    if (version + sni + ja4 === 0) return;
    json.raw(text.tls);
    if (sni > 0) {
      json.raw(text.sni);
      this.#string(sni);
      json.mark(comma);
    }
    json.raw(text.version);
    this.#string(version);
    json.raw(text.ja4);
    this.#string(ja4);
    json.mark(brace);
  }

  #anomalies(): void {
    const row = this.#row;
    for (let i = 0; i < row.anomalyCount; i++) {
      if (i > 0) this.#json.mark(comma);
      this.#json.raw(anomalyTexts[row.anomalyId(i)]!);
      this.#json.number(row.anomalyTimes(i));
    }
  }
}
