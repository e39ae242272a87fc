// One observation as numbers: the values of all fields for the row at hand. Filled once a row, and
// for its recipients in turn; rules read it through the slots of fields.ts. It knows rows,
// addresses and the register; it judges nothing.

import { At, AtSession, AtTx, Protocol, RowCursor, StartTls } from '../batch/row.js';
import { Place, type Register } from '../register/register.js';
import { Anomaly } from '../smtp/anomaly.js';
import { Dialect } from '../smtp/dialect.js';
import { ReplyClass } from '../smtp/reply-class.js';
import { Slot } from './fields.js';
import { Mailboxes } from './mailboxes.js';
import { hashOf } from './state/subjects.js';
import { domainStart, Helo, hashText, NameHash } from './text.js';

/** What is asked about domains; the owner of the register answers, and remembers. */
export interface DomainBook {
  /** Whether the own server answers for the domain. */
  hosted(domain: NameHash, server: number): boolean;
  /** Whether the domain has registered servers, and this source is none of them. */
  elsewhere(domain: NameHash, source: Place): boolean;
}

/** One of sixteen names that were taken is learnt from: more would cost more than it tells. */
const learnMask = 15;

const Direction = { transit: 0, in: 1, out: 2, internal: 3 } as const;

export class Facts {
  readonly values = new Float64Array(Slot.count);
  readonly row = new RowCursor();
  readonly src = new Place();
  readonly dst = new Place();
  /** Microseconds since 1970, and whole seconds; at least 1, for 0 stands for "never". */
  time = 0.5;
  second = 0;
  flowHigh = 0;
  flowLow = 0;
  /** Role of the subject that the rules at hand speak of. */
  role = 0;
  handshake = false;
  /** Number of the recipient at hand. */
  index = 0;
  /** Text range of the sender, and of the recipient at hand; length -1 where it was not seen. */
  mailFrom = 0;
  mailLength = -1;
  rcptFrom = 0;
  rcptLength = -1;
  readonly #seed: number;
  readonly #mailboxes: Mailboxes;
  /** Recipients that were taken, to learn from each of so many. */
  #taken = 0;
  readonly #name: NameHash;

  /** `seed` keys the hashes of names. */
  constructor(seed: number) {
    this.#seed = seed;
    this.#mailboxes = new Mailboxes(seed);
    this.#name = new NameHash(seed);
  }

  /** Customers behind the client's address. */
  get customers(): number {
    return Math.max(1, this.src.cgnat);
  }

  /** Fills what every row has. */
  open(register: Register): void {
    const { row, values, src, dst } = this;
    this.time = row.time;
    this.second = Math.max(1, Math.floor(row.time / 1e6));
    this.flowHigh = row.word(At.flowHigh);
    this.flowLow = row.word(At.flowLow);
    this.handshake = row.handshake;
    for (let i = 0; i < 4; i++) {
      values[Slot.srcIp + i] = row.word(At.client + i);
      values[Slot.dstIp + i] = row.word(At.server + i);
    }
    this.#place(register, At.client, src);
    this.#place(register, At.server, dst);
    values[Slot.srcKey] = keyed(values, Slot.srcIp);
    values[Slot.dstKey] = keyed(values, Slot.dstIp);
    values[Slot.srcNetwork] = network(values, Slot.srcIp, row.ip);
    values[Slot.dstNetwork] = network(values, Slot.dstIp, row.ip);
    values[Slot.srcRole] = src.role;
    values[Slot.dstRole] = dst.role;
    values[Slot.srcOwn] = src.own ? 1 : 0;
    values[Slot.dstOwn] = dst.own ? 1 : 0;
    values[Slot.srcCustomers] = src.cgnat;
    values[Slot.srcRegistration] = src.state;
    values[Slot.srcPort] = row.clientPort;
    values[Slot.dstPort] = row.serverPort;
    values[Slot.sessionDirection] = directionOf(src.own, dst.own);
    values[Slot.sessionSides] = row.sides;
    values[Slot.sessionId] = hashOf(this.flowHigh, this.flowLow, 0, 0, this.#seed) || 1;
    values[Slot.sessionHandshake] = this.handshake ? 1 : 0;
    values.fill(0, Slot.dstAcceptsAll);
    values[Slot.sessionGaps] = row.gaps > 0 ? 1 : 0;
    this.mailLength = -1;
    this.rcptLength = -1;
  }

  #place(register: Register, at: number, out: Place): void {
    const { row, time } = this;
    out.point(row.word(at), row.word(at + 1), row.word(at + 2), row.word(at + 3));
    register.lookup(out, time);
  }

  /** Fills what a transaction has; recipients follow with `recipient`. */
  transaction(domains: DomainBook): void {
    const { row, values } = this;
    this.#helo(row.transactionTexts);
    // Behind a loss an AUTH may have gone unseen: towards an own server that would make a relay of
    // a customer's own mail.
    const unknown = row.afterLoss && this.dst.own;
    values[Slot.sessionAuth] = row.authenticated || unknown ? 1 : 0;
    values[Slot.sessionRotated] = row.rotated ? 1 : 0;
    values[Slot.sessionDnsbl] = row.lists;
    const heloLength = row.word(At.helo);
    this.mailFrom = row.transactionTexts + Math.max(0, heloLength);
    this.mailLength = row.word(AtTx.mailFrom);
    values[Slot.mailNullSender] = this.mailLength === 0 ? 1 : 0;
    if (this.mailLength > 0) {
      const end = this.mailFrom + this.mailLength;
      const from = domainStart(row.bytes, this.mailFrom, end);
      if (from >= 0) {
        this.#name.domain(row.bytes, from, end);
        values[Slot.mailDomain] = this.#name.high;
        if (domains.elsewhere(this.#name, this.src)) values[Slot.mailRegisteredElsewhere] = 1;
      }
    }
    values[Slot.mailLabel] = row.label > 0 && row.label < 15 ? 1 : 0;
    values[Slot.mailRcptCount] = row.rcptCount + row.word(AtTx.rcptDropped);
    const bytes = row.double(AtTx.bytes);
    values[Slot.mailData] = bytes >= 0 ? 1 : 0;
    // Who has a message says how long it is, or asks to send it even where all were refused. Whose
    // MAIL was not seen is taken for one who has.
    const isSaid = row.word(AtTx.dataCode) !== 0 || row.double(AtTx.sizeDeclared) >= 0;
    values[Slot.mailMeant] = bytes >= 0 || isSaid || this.mailLength < 0 ? 1 : 0;
    values[Slot.mailBytes] = Math.max(0, bytes);
    this.rcptFrom =
      this.mailFrom + Math.max(0, this.mailLength) + Math.max(0, row.word(AtTx.labelCode));
    this.rcptLength = 0;
    let accepted = 0;
    for (let i = 0; i < row.rcptCount; i++) {
      const code = row.rcptCode(i);
      if (code >= 200 && code < 300) accepted++;
    }
    values[Slot.mailRcptAccepted] = accepted;
    values[Slot.mailCost] = accepted;
  }

  /** Fills what recipient `index` has. In order from 0, after `transaction`. */
  recipient(index: number, domains: DomainBook): void {
    const { row, values } = this;
    this.index = index;
    this.rcptFrom += Math.max(0, this.rcptLength);
    this.rcptLength = row.rcptLength(index);
    values[Slot.outcomeClass] = row.rcptClass(index);
    values[Slot.outcomeCode] = row.rcptCode(index);
    values[Slot.rcptMailbox] = row.rcptHash(index, 0) | 0;
    values[Slot.rcptMailbox + 1] = row.rcptHash(index, 1);
    values[Slot.rcptDomain] = 0;
    values[Slot.rcptHosted] = 0;
    if (this.rcptLength <= 0) return;
    const end = this.rcptFrom + this.rcptLength;
    const from = domainStart(row.bytes, this.rcptFrom, end);
    if (from < 0) {
      // A mailbox without a domain is the server's own.
      values[Slot.rcptHosted] = 1;
      return;
    }
    this.#name.domain(row.bytes, from, end);
    values[Slot.rcptDomain] = this.#name.high;
    if (values[Slot.outcomeClass] === ReplyClass.ok && (++this.#taken & learnMask) === 0) {
      this.#mailboxes.learn(row.bytes, this.rcptFrom, from - 1);
    }
    const inward = this.dst.own && !this.src.own;
    if (inward && domains.hosted(this.#name, this.dst.server)) values[Slot.rcptHosted] = 1;
  }

  /**
   * Whether the name of the recipient at hand looks generated after the one of which `words` from
   * `at` on tell (mailboxes.ts); null where no name was seen.
   */
  mailbox(words: Int32Array, at: number): boolean | null {
    if (this.rcptLength <= 0) return null;
    const { row, rcptFrom } = this;
    const domain = domainStart(row.bytes, rcptFrom, rcptFrom + this.rcptLength);
    const end = domain < 0 ? rcptFrom + this.rcptLength : domain - 1;
    return end <= rcptFrom ? null : this.#mailboxes.look(row.bytes, rcptFrom, end, words, at);
  }

  /** The hash of a domain, as `mail.domain` and `rcpt.domain` have it, for a text of the row. */
  hashOf(from: number, to: number): number {
    return hashText(this.row.bytes, from, to, this.#seed);
  }

  /** Fills what a session has. */
  session(): void {
    const { row, values } = this;
    this.#helo(row.sessionTexts);
    values[Slot.sessionAuth] = row.word(AtSession.authCode) === 235 ? 1 : 0;
    const isHidden = row.startTls === StartTls.established || row.protocol === Protocol.tls;
    values[Slot.sessionTls] = isHidden ? 1 : 0;
    values[Slot.sessionDnsbl] = row.lists;
    values[Slot.greetingClass] = row.greetingClass;
    values[Slot.sessionProtocol] = row.protocol;
    values[Slot.sessionTransactions] = row.word(AtSession.transactions);
    values[Slot.sessionAccepted] = row.word(AtSession.accepted);
    values[Slot.sessionRcptRefused] = row.word(AtSession.rcptRefused);
    values[Slot.sessionRcptOffered] = row.word(AtSession.rcptOffered);
    values[Slot.sessionEnvelopesWithoutData] = row.dataless;
    values[Slot.sessionVerify] = row.asked;
    values[Slot.sessionToServer] = row.double(AtSession.bytesToServer);
    values[Slot.authFailed] = row.authFailures;
    values[Slot.authOk] = row.word(AtSession.authCode) === 235 ? 1 : 0;
    values[Slot.authLengths] = row.authLengths;
    // Of a foreign provider many addresses answer to one name: there the network is the server.
    const where = values[this.dst.own ? Slot.dstKey : Slot.dstNetwork]!;
    values[Slot.authVariety] = hashOf(where, row.authLengths, 0, 0, 0) || 1;
    values[Slot.mailCost] = isHidden ? 1 : 0;
    const { dialect } = row;
    this.#dialect(dialect);
    values[Slot.sessionRotated] = (dialect & Dialect.rotated) !== 0 ? 1 : 0;
    values[Slot.sessionEarly] = (dialect & Dialect.earlyTalker) !== 0 ? 1 : 0;
    if ((dialect & Dialect.heloIsServer) !== 0) values[Slot.heloClass] = Helo.serverName;
    for (let i = 0; i < row.anomalyCount; i++) {
      if (row.anomalyId(i) === Anomaly.unknownCommand) values[Slot.dialectAnomalies] = 1;
    }
  }

  #dialect(bits: number): void {
    const { values } = this;
    values[Slot.dialectHelo] = flag(bits, Dialect.helo);
    values[Slot.dialectSpace] = flag(bits, Dialect.spaceAfterColon);
    values[Slot.dialectTrailingSpace] = flag(bits, Dialect.trailingSpace);
    values[Slot.dialectNoBrackets] = flag(bits, Dialect.noBrackets);
    values[Slot.dialectLowerCase] = flag(bits, Dialect.lowerCaseVerb);
    values[Slot.dialectPipelining] = flag(bits, Dialect.unannouncedPipelining);
    values[Slot.dialectDataBehindRefusal] = flag(bits, Dialect.dataBehindRefusal);
    values[Slot.dialectBareLf] = flag(bits, Dialect.bareLf);
    values[Slot.dialectNoQuit] = flag(bits, Dialect.noQuit);
    values[Slot.dialectServerName] = flag(bits, Dialect.heloIsServer);
  }

  attempt(): void {
    this.values[Slot.attemptKind] = this.row.attemptKind;
  }

  set serves(serves: boolean) {
    this.values[Slot.srcServes] = serves ? 1 : 0;
  }

  set relayClient(may: boolean) {
    this.values[Slot.srcInRelayClients] = may ? 1 : 0;
  }

  /** Management codes of the label, separated by commas; a string, so for few mails. */
  get labelCodes(): string {
    const { row } = this;
    const from = this.mailFrom + Math.max(0, this.mailLength);
    return row.bytes.toString('latin1', from, from + Math.max(0, row.word(AtTx.labelCode)));
  }

  set refusesAll(refusesAll: boolean) {
    this.values[Slot.dstRefusesAll] = refusesAll ? 1 : 0;
  }

  set acceptsAll(acceptsAll: boolean) {
    this.values[Slot.dstAcceptsAll] = acceptsAll ? 1 : 0;
  }

  /** Whether the address of the recipient at hand and the answer to it were both seen. */
  get isAnswered(): boolean {
    return this.rcptLength > 0 && this.values[Slot.outcomeCode] !== 0;
  }

  /** Whether the recipient at hand was taken. */
  get isTaken(): boolean {
    return this.values[Slot.outcomeClass] === ReplyClass.ok;
  }

  #helo(from: number): void {
    const { row, values } = this;
    const heloLength = row.word(At.helo);
    if (heloLength <= 0) return;
    const address = row.ip === 4 ? row.word(At.client + 3) : 0;
    const name = this.#name;
    values[Slot.heloClass] = name.helo(row.bytes, from, from + heloLength, address);
    values[Slot.heloName] = name.high;
    values[Slot.heloPattern] = name.pattern;
  }
}

function flag(bits: number, bit: number): number {
  return (bits & bit) !== 0 ? 1 : 0;
}

function keyed(values: Float64Array, at: number): number {
  return hashOf(values[at]!, values[at + 1]!, values[at + 2]!, values[at + 3]!, 0) || 1;
}

function network(values: Float64Array, at: number, ip: number): number {
  const last = ip === 4 ? values[at + 3]! & ~0xff : 0;
  return hashOf(values[at]!, values[at + 1]!, ip === 4 ? 0xffff : 0, last, 0) || 1;
}

function directionOf(src: boolean, dst: boolean): number {
  if (src) return dst ? Direction.internal : Direction.out;
  return dst ? Direction.in : Direction.transit;
}
