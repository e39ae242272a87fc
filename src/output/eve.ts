// Rows into EVE-shaped NDJSON, the events of contracts section 2. Field order is the contract's.

import { createHmac, randomBytes } from 'node:crypto';
import {
  At,
  AtSession,
  AtTx,
  closedNames,
  greetingNames,
  outcomeNames,
  protocolNames,
  RowCursor,
  RowKind,
  type RowSink,
  sidesNames,
  startTlsNames,
} from '../batch/row.js';
import { noLabel } from '../batch/writer.js';
import type { Alert, AlertSink, Decision, DecisionSink } from '../decide/decision.js';
import { anomalyNames } from '../smtp/anomaly.js';
import { labelNames } from '../smtp/label.js';
import { AddressText } from './address.js';
import { JsonText } from './json.js';
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

// Whole pieces of text by number, made once.
const greetingTexts = greetingNames.map((name) => `,"greeting":"${name}"`);
const outcomeTexts = outcomeNames.map((name) => `,"outcome":"${name}"}`);
const sidesTexts = sidesNames.map((name) => `,"sides":"${name}"}\n`);
const startTlsTexts = startTlsNames.map((name) => `,"starttls":"${name}"`);
const protocolTexts = protocolNames.map((name) => `,"protocol":"${name}"`);
const closedTexts = closedNames.map((name) => `,"closed":"${name}"`);
const labelTexts = labelNames.map((name) => `,"email":{"label":"${name}"`);
const anomalyTexts = anomalyNames.map((name) => `"${name}":`);

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
  readonly #sensor: string;
  readonly #row = new RowCursor();
  readonly #json = new JsonText(256 * 1024);
  readonly #address = new AddressText();
  readonly #timestamp = new Timestamp();
  #verdicts: Verdict[] = [];
  /** Time of the latest event, microseconds: an alert or a decision is never earlier. */
  #latest = 0;

  constructor(out: EveOut, options: EveOptions) {
    this.#out = out;
    this.#clear = options.clear;
    this.#key = options.key ?? randomBytes(32);
    this.#sensor =
      options.sensor === undefined ? '' : `,"sensor":${JSON.stringify(options.sensor)}`;
  }

  /** Writes an event for each row. */
  rows(area: ArrayBuffer, length: number): void {
    this.#row.open(area, length);
    while (this.#row.next()) {
      if (this.#verdicts.length > 0) this.#writeVerdicts(this.#row.time);
      if (this.#row.kind === RowKind.transaction) this.#transaction();
      else if (this.#row.kind === RowKind.session) this.#session();
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
      type: '","event_type":"alert"',
      fields: alertFields(alert),
    });
  }

  decision(decision: Decision): void {
    this.#verdicts.push({
      time: decision.time,
      type: '","event_type":"decision"',
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
    this.#rare(time, '","event_type":"stats"', { stats });
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
    this.#json.raw('{"timestamp":"');
    this.#timestamp.write(this.#json, time);
    this.#json.raw(type);
    if (this.#sensor !== '') this.#json.raw(this.#sensor);
  }

  /** The fields that name a connection. */
  #connection(): void {
    const row = this.#row;
    const json = this.#json;
    json.raw(',"flow_id":"');
    this.#flowId();
    json.raw('","src_ip":"');
    this.#address.write(json, row, At.client);
    json.raw('","src_port":');
    json.number(row.clientPort);
    json.raw(',"dest_ip":"');
    this.#address.write(json, row, At.server);
    json.raw('","dest_port":');
    json.number(row.serverPort);
    json.raw(',"proto":"TCP"');
    if (row.vlanCount === 0) return;
    json.raw(',"vlan":[');
    for (let i = 0; i < row.vlanCount; i++) {
      if (i > 0) json.raw(',');
      json.number(row.vlan(i));
    }
    json.raw(']');
  }

  /** 63 bits in decimal, in pieces of nine digits. */
  #flowId(): void {
    const high = this.#row.word(At.flowHigh);
    const low = this.#row.word(At.flowLow) >>> 0;
    // high * 2^32 + low, divided by 10^9 twice with remainders that stay exact.
    const top = Math.floor(high / 1e9);
    const middle = (high - top * 1e9) * 4294967296;
    const text = top === 0 && middle + low <= Number.MAX_SAFE_INTEGER;
    const value = text ? String(middle + low) : ((BigInt(high) << 32n) | BigInt(low)).toString();
    this.#json.growFor(24);
    this.#json.length += this.#json.bytes.write(value, this.#json.length, 'latin1');
  }

  // long: the fields of contracts 2.1 in their order
  #transaction(): void {
    const row = this.#row;
    const json = this.#json;
    let at = row.transactionTexts;
    this.#begin(row.time, '","event_type":"smtp"');
    this.#connection();
    json.raw(',"tx_id":');
    json.number(row.word(AtTx.txId));
    json.raw(',"smtp":{"started":"');
    this.#timestamp.write(json, row.started);
    json.raw('"');
    const helo = row.word(At.helo);
    if (helo >= 0) {
      json.raw(',"helo":');
      json.string(row.bytes, at, at + helo);
      json.raw(greetingTexts[row.greeting]!);
      at += helo;
    }
    if (row.word(AtTx.mailFrom) !== -2) {
      json.raw(',"mail_from":');
      at = this.#mailbox(at, row.word(AtTx.mailFrom));
    }
    const labelCode = at;
    at += row.word(AtTx.labelCode);
    this.#code(',"mail_code":', row.word(AtTx.mailCode));
    if (row.double(AtTx.sizeDeclared) >= 0) {
      json.raw(',"size_declared":');
      json.number(row.double(AtTx.sizeDeclared));
    }
    this.#recipients(at);
    if (row.word(AtTx.rcptDropped) > 0) {
      json.raw(',"rcpt_dropped":');
      json.number(row.word(AtTx.rcptDropped));
    }
    this.#code(',"data_code":', row.word(AtTx.dataCode));
    this.#code(',"final_code":', row.word(AtTx.finalCode));
    this.#finals();
    if (row.double(AtTx.bytes) >= 0) {
      json.raw(',"bytes":');
      json.number(row.double(AtTx.bytes));
    }
    json.raw(row.chunking ? ',"chunking":true' : ',"chunking":false');
    json.raw(outcomeTexts[row.outcome]!);
    this.#label(labelCode);
    json.raw(',"gaps":');
    json.number(row.gaps);
    json.raw(sidesTexts[row.sides]!);
  }

  #code(name: string, code: number): void {
    if (code === 0) return;
    this.#json.raw(name);
    this.#json.number(code);
  }

  #recipients(from: number): void {
    const row = this.#row;
    const json = this.#json;
    const count = row.rcptCount;
    let at = from;
    json.raw(',"rcpt_to":[');
    for (let i = 0; i < count; i++) {
      if (i > 0) json.raw(',');
      at = this.#mailbox(at, row.rcptLength(i));
    }
    json.raw('],"rcpt_codes":[');
    for (let i = 0; i < count; i++) {
      if (i > 0) json.raw(',');
      this.#codeOrNull(row.rcptCode(i));
    }
    json.raw(']');
  }

  #finals(): void {
    const count = this.#row.word(AtTx.finalCodes);
    if (this.#row.greeting !== 3) return;
    this.#json.raw(',"final_codes":[');
    for (let i = 0; i < count; i++) {
      if (i > 0) this.#json.raw(',');
      this.#codeOrNull(this.#row.finalCode(i));
    }
    this.#json.raw(']');
  }

  #codeOrNull(code: number): void {
    if (code === 0) this.#json.raw('null');
    else this.#json.number(code);
  }

  #label(codeAt: number): void {
    const row = this.#row;
    if (row.label === noLabel) return;
    this.#json.raw(labelTexts[row.label]!);
    const length = row.word(AtTx.labelCode);
    if (length > 0) {
      this.#json.raw(',"label_code":');
      this.#json.string(row.bytes, codeAt, codeAt + length);
    }
    this.#json.raw('}');
  }

  /** A mailbox of `length` bytes at `from`, null if that is -1; gives the place behind it. */
  #mailbox(from: number, length: number): number {
    const json = this.#json;
    if (length < 0) {
      json.raw('null');
      return from;
    }
    const bytes = this.#row.bytes;
    const to = from + length;
    if (this.#clear || length === 0) {
      json.string(bytes, from, to);
      return to;
    }
    const at = bytes.lastIndexOf(64, to - 1);
    const local = at >= from ? at : to;
    const hash = createHmac('sha256', this.#key).update(bytes.subarray(from, local)).digest('hex');
    json.raw('"');
    json.growFor(17);
    json.length += json.bytes.write(`~${hash.slice(0, 16)}`, json.length, 'latin1');
    if (local < to) {
      const start = json.length;
      json.string(bytes, local, to);
      // The domain follows in the same string: its opening quote goes.
      json.bytes.copyWithin(start, start + 1, json.length);
      json.length -= 1;
    } else {
      json.raw('"');
    }
    return to;
  }

  // long: the fields of contracts 2.2 in their order
  #session(): void {
    const row = this.#row;
    const json = this.#json;
    this.#begin(row.time, '","event_type":"smtp_session"');
    this.#connection();
    json.raw(',"session":{');
    const banner = row.word(AtSession.bannerCode);
    if (banner > 0) {
      json.raw('"banner_code":');
      json.number(banner);
      json.raw(',');
    }
    let at = row.sessionTexts;
    const helo = row.word(At.helo);
    if (helo >= 0) {
      json.raw('"helo":');
      json.string(row.bytes, at, at + helo);
      json.raw(',');
      at += helo;
    }
    json.raw('"helo_changes":');
    json.number(row.word(AtSession.heloChanges));
    json.raw(',"transactions":');
    json.number(row.word(AtSession.transactions));
    json.raw(',"accepted":');
    json.number(row.word(AtSession.accepted));
    json.raw(',"rcpt_offered":');
    json.number(row.word(AtSession.rcptOffered));
    json.raw(',"rcpt_refused":');
    json.number(row.word(AtSession.rcptRefused));
    json.raw(startTlsTexts[row.startTls]!);
    this.#authAndTls(at);
    json.raw(protocolTexts[row.protocol]!);
    json.raw(',"bytes_toserver":');
    json.number(row.double(AtSession.bytesToServer));
    json.raw(',"bytes_toclient":');
    json.number(row.double(AtSession.bytesToClient));
    json.raw(',"packets":');
    json.number(row.double(AtSession.packets));
    json.raw(',"gaps":');
    json.number(row.gaps);
    json.raw(closedTexts[row.closed]!);
    json.raw(row.handshake ? ',"handshake":true' : ',"handshake":false');
    json.raw(',"duration_ms":');
    json.number(Math.round((row.time - row.started) / 1000));
    this.#anomalies();
    json.raw('}');
    json.raw(sidesTexts[row.sides]!);
  }

  #authAndTls(from: number): void {
    const row = this.#row;
    const json = this.#json;
    let at = from;
    const mechanism = row.word(AtSession.mechanism);
    if (mechanism >= 0) {
      json.raw(',"auth":{"mechanism":');
      if (mechanism === 0) json.raw('null');
      else json.string(row.bytes, at, at + mechanism);
      json.raw(',"code":');
      this.#codeOrNull(row.word(AtSession.authCode));
      json.raw(',"attempts":');
      json.number(row.word(AtSession.authAttempts));
      json.raw('}');
      at += mechanism;
    }
    const sni = row.word(AtSession.sni);
    const version = row.word(AtSession.version);
    const ja4 = row.word(AtSession.ja4);
    if (version + sni + ja4 === 0) return;
    json.raw(',"tls":{');
    if (sni > 0) {
      json.raw('"sni":');
      json.string(row.bytes, at, at + sni);
      json.raw(',');
    }
    at += sni;
    json.raw('"version":');
    json.string(row.bytes, at, at + version);
    at += version;
    json.raw(',"ja4":');
    json.string(row.bytes, at, at + ja4);
    json.raw('}');
  }

  #anomalies(): void {
    const row = this.#row;
    const json = this.#json;
    json.raw(',"anomalies":{');
    for (let i = 0; i < row.anomalyCount; i++) {
      if (i > 0) json.raw(',');
      json.raw(anomalyTexts[row.anomalyId(i)]!);
      json.number(row.anomalyTimes(i));
    }
    json.raw('}');
  }
}
