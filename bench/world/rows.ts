// A talk as rows of the batch layout, without packets: what the packet plane would say of it on a
// mirror that loses nothing. Days of a whole ISP are only affordable this way. A test holds it to
// what the engine reads from the packets of the same talks.

import { Outcome } from '../../src/batch/row.js';
import { Dialect } from '../../src/smtp/dialect.js';
import {
  enhancedOf,
  ReplyClass,
  ReplyText,
  replyClasses,
  replyClassOf,
  Stage,
} from '../../src/smtp/reply-class.js';
import { addressBytes } from '../generate/frame.js';
import { EventHeap } from '../generate/heap.js';
import type { Rng } from '../generate/rng.js';
import type { Row, RowBase, RowEncoder } from '../generate/rows.js';
import { codeOf, courseOf, isPiped, refused, type Step } from './course.js';
import { SessionDraft, TransactionDraft } from './draft.js';
import { epoch } from './files.js';
import type { Answer, Talk } from './talk.js';
import { announces, makeOf } from './wording.js';

/** What a reply is to the packet plane. */
interface Meaning {
  readonly code: number;
  readonly class: number;
  readonly lists: number;
}

const wordsKept = 200_000;
/** `flow.timeout_half_open_s` of the configuration's defaults, in microseconds. */
const halfOpenLife = 30_000_000;

/** What a mirror that loses a share of all packets does to rows. */
export interface RowLoss {
  readonly share: number;
  readonly rng: Rng;
}

export class TalkRows {
  readonly #loss: RowLoss | null;
  readonly #encoder: RowEncoder;
  readonly #text = new ReplyText();
  readonly #meanings = new Map<string, Meaning>();
  readonly #words = new Map<string, readonly number[]>();
  /** Rows that wait for their time, by number. */
  readonly #waiting = new Map<number, Row>();
  readonly #heap = new EventHeap();
  #flow = 0;
  #rows = 0;

  constructor(encoder: RowEncoder, loss?: RowLoss) {
    this.#encoder = encoder;
    this.#loss = loss !== undefined && loss.share > 0 ? loss : null;
  }

  /** Bytes missing of so many packets; a reply is lost as often as a piece of a message. */
  #missing(packets: number): number {
    const loss = this.#loss;
    if (loss === null) return 0;
    let lost = 0;
    for (let at = loss.rng.exponential(1 / loss.share); at < packets; lost++) {
      at += loss.rng.exponential(1 / loss.share);
    }
    return lost * 800;
  }

  /**
   * Takes a talk, of talks in order of time; gives when it ended, microseconds since 1970. Rows are
   * written in the order of their own times, so some of them wait for later talks.
   */
  talk(talk: Talk): number {
    this.#until(epoch + talk.start);
    const base = this.#base(talk);
    switch (talk.kind) {
      case 'refused':
        return this.#attempt(base, 1, 1, talk.rtt);
      case 'silent':
        return this.#attempt(base, 2, 3, 7_000_000);
      case 'spoofed':
      case 'bare':
        return this.#bare(base, talk);
      case 'tls':
        return this.#sealed(base, talk);
      case 'binary':
        return this.#binary(base, talk);
      default:
        return this.#dialogue(base, talk);
    }
  }

  /** Writes what waits. */
  finish(): void {
    this.#until(Number.POSITIVE_INFINITY);
    this.#encoder.flush();
  }

  #until(time: number): void {
    while (this.#heap.size > 0 && this.#heap.time <= time) {
      const id = this.#heap.pop();
      this.#encoder.row(this.#waiting.get(id)!);
      this.#waiting.delete(id);
    }
  }

  /** Writes a row when it is time, `later` microseconds behind the time it tells. */
  #put(row: Row, later = 0): void {
    this.#rows = (this.#rows + 1) | 0;
    this.#waiting.set(this.#rows, row);
    this.#heap.push(row.time + later, this.#rows);
  }

  #base(talk: Talk): RowBase {
    this.#flow = (this.#flow + 1) | 0;
    const started = epoch + Math.round(talk.start);
    const half = talk.kind === 'half';
    return {
      client: this.#address(talk.client),
      server: this.#address(talk.server),
      clientPort: talk.clientPort,
      serverPort: talk.serverPort,
      ip: talk.client.includes(':') ? 6 : 4,
      vlan: [],
      flow: [0, this.#flow],
      sides: half ? 1 : 3,
      // Of a handshake the answer has to be seen, and one packet that takes it up.
      handshake: !half && this.#missing(1) === 0,
      started,
      time: started,
      gaps: 0,
      order: this.#flow,
      last: started,
      facts: true,
    };
  }

  #address(text: string): readonly number[] {
    let words = this.#words.get(text);
    if (words !== undefined) return words;
    const bytes = addressBytes(text);
    words =
      bytes.length === 4
        ? [0, 0, 0xffff, bytes.readInt32BE(0)]
        : [0, 4, 8, 12].map((at) => bytes.readInt32BE(at));
    if (this.#words.size > wordsKept) this.#words.clear();
    this.#words.set(text, words);
    return words;
  }

  #attempt(base: RowBase, attempt: number, syns: number, lasts: number): number {
    const time = base.started + lasts;
    const sides = attempt === 1 ? 3 : 1;
    const none = { handshake: false, facts: false };
    // That nobody answers is known when the flow stage gives up waiting.
    const later = attempt === 1 ? 0 : halfOpenLife;
    this.#put({ ...base, ...none, kind: 'attempt', time, sides, attempt, syns }, later);
    return time;
  }

  /** A connection without a word is no session: only counted by the flow stage. */
  #bare(base: RowBase, talk: Talk): number {
    return base.started + talk.rtt * 2;
  }

  #sealed(base: RowBase, talk: Talk): number {
    const time = base.started + talk.rtt * (5 + talk.sealed.length) + 120_000;
    const row = new SessionDraft(base, time);
    row.gaps = this.#missing(10 + bytesOf(talk) / 900);
    row.bannerCode = 0;
    row.greetingClass = ReplyClass.none;
    row.protocol = 3;
    row.bytesToServer = bytesOf(talk);
    row.closed = closedOf(talk);
    encrypted(row, talk);
    this.#put(row);
    return time;
  }

  #binary(base: RowBase, talk: Talk): number {
    const time = base.started + talk.rtt * 3 + 80_000;
    const row = new SessionDraft(base, time);
    row.protocol = 4;
    row.dialect = Dialect.unannouncedPipelining;
    row.closed = closedOf(talk);
    this.#put(row);
    return time;
  }

  /** A server that does not want to talk at all. */
  #unwelcome(base: RowBase, talk: Talk, answer: Exclude<Answer, 'ok'>): number {
    const time = base.started + Math.round(talk.rtt * 2.5) + 40_000;
    const { code, class: what, lists } = this.#meaning(refused(talk, answer, ''), Stage.greeting);
    const row = new SessionDraft(base, time);
    row.bannerCode = code;
    row.greetingClass = what;
    row.lists = lists;
    row.closed = closedOf(talk);
    this.#put(row);
    return time;
  }

  #dialogue(base: RowBase, talk: Talk): number {
    const half = talk.kind === 'half';
    const { manners, greeting } = talk;
    if (greeting !== 'ok') return this.#unwelcome(base, talk, greeting);
    let time = base.started + Math.round(talk.rtt * 2.5) + 40_000 + manners.think;
    const session = new SessionFacts(talk, half);
    let gaps = this.#missing(6);
    if (talk.starttls) time += talk.rtt * (5 + talk.sealed.length) + 120_000;
    else {
      if (talk.login !== null) time += talk.login.lengths.length * (talk.rtt + 90_000);
      for (const [at, step] of courseOf(talk).entries()) {
        const turns = isPiped(talk) ? 1 : 1 + step.offered.length + (step.dataReply ? 1 : 0);
        time += turns * (talk.rtt + manners.think) + (step.letter ? talk.rtt + 200_000 : 0);
        const row = new TransactionDraft(base, time);
        row.txId = at;
        const message = (step.letter?.bytes ?? 0) / 900;
        row.gaps = this.#missing((isPiped(talk) ? 3 : 2 * turns) + message);
        if (gaps > 0) row.afterLoss = true;
        gaps += row.gaps;
        this.#transaction(row, talk, step, session);
      }
    }
    if (talk.starttls) gaps += this.#missing(bytesOf(talk) / 900);
    if (manners.quit && !talk.starttls) time += talk.rtt + manners.think;
    const row = new SessionDraft(base, time);
    row.gaps = gaps;
    session.write(row);
    this.#put(row);
    return time;
  }

  #transaction(row: TransactionDraft, talk: Talk, step: Step, session: SessionFacts): void {
    const half = talk.kind === 'half';
    const { mail, letter } = step;
    const to = mail.recipients[0]!.to;
    const mailing = half ? unseen : this.#meaning(step.mailReply, Stage.mail);
    const data =
      half || step.dataReply === null ? unseen : this.#meaning(step.dataReply, Stage.data);
    const last = mail.final === 'ok' ? '250 ok' : refused(talk, mail.final, to);
    const final = half || letter === null ? unseen : this.#meaning(last, Stage.final);
    let lists = mailing.lists | data.lists | final.lists;
    const hidden = this.#hidden(row.gaps > 0, talk, step.offered.length);
    const rcpts = step.offered.map(({ to: address, reply }, at) => {
      const isUnseen = half || (at >= hidden.from && at < hidden.to);
      const meaning = isUnseen ? unseen : this.#meaning(reply, Stage.rcpt);
      lists |= meaning.lists;
      return { address, code: meaning.code, class: meaning.class };
    });
    row.afterLoss ||= half;
    row.helo = talk.helo;
    row.greeting = talk.manners.verb === 'EHLO' ? 1 : 2;
    row.mailFrom = mail.from;
    row.mailCode = mailing.code;
    row.mailClass = mailing.class;
    row.dataCode = data.code;
    row.dataClass = data.class;
    row.finalCode = final.code;
    row.finalClass = final.class;
    row.outcome = outcomeOf(step, mailing, final, half);
    row.authenticated = talk.login?.succeeds ?? false;
    row.rotated = session.envelope(step, rcpts, row.outcome);
    row.rcpts = rcpts;
    row.lists = lists;
    session.lists |= lists;
    if (session.declares && mail.letter) row.sizeDeclared = mail.letter.bytes;
    if (letter !== null) {
      row.label = labelOf(letter.subject);
      row.labelCode = /^\[QC ([A-Z0-9]+)\]/.exec(letter.subject ?? '')?.[1] ?? '';
      row.bytes = letter.bytes + 230 * letter.hops;
      row.messageId = letter.id;
    }
    this.#put(row);
  }

  /**
   * Recipients whose answers a loss hides: all where they came in one packet, else some from a
   * point on. On packets a loss of 1 % hides two fifths of the answers in such transactions.
   */
  #hidden(isGapped: boolean, talk: Talk, count: number): { from: number; to: number } {
    const loss = this.#loss;
    if (!isGapped || loss === null || count === 0) return { from: count, to: count };
    if (isPiped(talk)) return { from: 0, to: count };
    const from = loss.rng.int(count);
    return { from, to: from + 1 + loss.rng.int(count - from) };
  }

  /** The packet plane's own reading of a reply. */
  #meaning(reply: string, stage: number): Meaning {
    // What differs from reply to reply, addresses, does not matter to it.
    const key = stage + reply.replaceAll(/<[^>]*>|\[[^\]]*\]|\d+\.\d+\.\d+\.\d+/g, '');
    let meaning = this.#meanings.get(key);
    if (meaning !== undefined) return meaning;
    const bytes = Buffer.from(reply.split('\r\n').at(-1)!, 'latin1');
    const code = codeOf(reply);
    this.#text.read(bytes, 3, bytes.length);
    const enhanced = code >= 500 ? enhancedOf(bytes, 4, bytes.length) : -1;
    const { said, lists } = code >= 500 ? this.#text : { said: 0, lists: 0 };
    meaning = { code, class: replyClassOf(stage, code, enhanced, said, lists), lists };
    if (this.#meanings.size > wordsKept) this.#meanings.clear();
    this.#meanings.set(key, meaning);
    return meaning;
  }
}

const unseen: Meaning = { code: 0, class: ReplyClass.none, lists: 0 };

/** About what a client sends, headers of TLS records included. */
function bytesOf({ mails, sealed }: Talk): number {
  let bytes = 300;
  for (const size of sealed) bytes += size + 150;
  if (sealed.length > 0) bytes += 1200;
  else for (const { letter } of mails) bytes += (letter?.bytes ?? 0) + 80;
  return bytes;
}

/** What the handshake of `packets.ts` says; JA4 is that of its ClientHello. */
function encrypted(row: SessionDraft, talk: Talk): void {
  row.sni = talk.host;
  row.version = 'TLS 1.3';
  row.ja4 = 't13d251000_211f5a7cae22_fd61393380e6';
}

function closedOf({ close }: Talk): number {
  return close === 'rst' ? 2 : 1;
}

function outcomeOf(step: Step, mailing: Meaning, final: Meaning, half: boolean): number {
  if (half) return Outcome.unknown;
  const worst = (code: number) => (code >= 500 ? Outcome.rejected : Outcome.deferred);
  if (mailing.code >= 400) return worst(mailing.code);
  if (final.code > 0) return final.code < 400 ? Outcome.accepted : worst(final.code);
  const codes = step.offered.map(({ reply }) => codeOf(reply));
  if (codes.length === 0 || codes.some((code) => code < 400)) return Outcome.aborted;
  return codes.some((code) => code < 500) ? Outcome.deferred : Outcome.rejected;
}

function labelOf(subject: string | undefined): number {
  if (subject === undefined) return 0;
  if (/^\[QC[ \]]/.test(subject)) return 2;
  return subject.startsWith('AD:') || subject.includes('5bm/5ZGK') ? 1 : 0;
}

/** What adds up over a session. */
class SessionFacts {
  lists = 0;
  /** SIZE stands in MAIL. */
  readonly declares: boolean;
  readonly #talk: Talk;
  readonly #half: boolean;
  readonly #outcomes = Array.from({ length: replyClasses }, () => 0);
  #dialect: number;
  #transactions = 0;
  #accepted = 0;
  #offered = 0;
  #refused = 0;
  #dataless = 0;
  /** The last reply of the envelope before was a refusal. */
  #refusedLast = false;
  /** Sender and first recipient of the last envelope refused. */
  #before: readonly [string, string] | null = null;

  constructor(talk: Talk, half: boolean) {
    const { manners, server } = talk;
    this.#talk = talk;
    this.#half = half;
    const make = makeOf(server);
    const knows = manners.verb === 'EHLO' && !half;
    this.declares = manners.size && make.size;
    this.#dialect = manners.verb === 'EHLO' ? Dialect.ehlo : Dialect.helo;
    if (manners.lower) this.#dialect |= Dialect.lowerCaseVerb;
    const hasSize = make.keywords.some((word) => word.startsWith('SIZE'));
    if (talk.mails.length === 0 || talk.starttls) return;
    if (manners.space) this.#dialect |= Dialect.spaceAfterColon;
    if (manners.trailing) this.#dialect |= Dialect.trailingSpace;
    if (knows && hasSize && talk.mails.some(({ letter }) => !this.declares || letter === null)) {
      this.#dialect |= Dialect.noSize;
    }
    const known = knows && announces(server);
    if (!half && isPiped(talk) && !known) this.#dialect |= Dialect.unannouncedPipelining;
  }

  /** Takes one envelope in; whether it came with another sender after a refusal. */
  envelope(
    step: Step,
    rcpts: readonly { address: string; code: number; class: number }[],
    outcome: number,
  ): boolean {
    this.#transactions++;
    this.#offered += rcpts.length;
    if (outcome === Outcome.accepted) this.#accepted++;
    let refusals = 0;
    for (const { code, class: what } of rcpts) {
      this.#outcomes[what]!++;
      if (code >= 400) refusals++;
    }
    this.#refused += refusals;
    // Nobody answered the forged half: of its DATA nothing came.
    if (rcpts.length > 0 && (this.#half ? step.letter : step.dataReply) === null) this.#dataless++;
    const piped = isPiped(this.#talk);
    if (!this.#half && piped && refusals > 0 && step.dataReply !== null) {
      this.#dialect |= Dialect.dataBehindRefusal;
    }
    const { from } = step.mail;
    const before = this.#before;
    const same = before !== null && rcpts.some(({ address }) => address === before[1]);
    const rotated = same && before[0] !== from;
    if (rotated) this.#dialect |= Dialect.rotated;
    const first = rcpts[0]?.address;
    if (outcome === Outcome.rejected && first !== undefined) this.#before = [from, first];
    if (step.resets && this.#refusedLast) this.#dialect |= Dialect.resetAfterRefusal;
    const last = step.dataReply ?? step.offered.at(-1)?.reply ?? step.mailReply;
    this.#refusedLast = codeOf(last) >= 400;
    return rotated;
  }

  write(row: SessionDraft): void {
    const talk = this.#talk;
    const { login, manners, starttls } = talk;
    const half = this.#half;
    const quits = manners.quit && !starttls;
    const offers = starttls || talk.server.charCodeAt(talk.server.length - 1) % 2 === 0;
    row.helo = talk.helo;
    row.bannerCode = half ? 0 : 220;
    row.transactions = this.#transactions;
    row.accepted = this.#accepted;
    row.rcptOffered = this.#offered;
    row.rcptRefused = this.#refused;
    if (starttls) row.startTls = 3;
    else if (!half && offers && manners.verb === 'EHLO') row.startTls = 1;
    row.closed = quits ? 0 : closedOf(talk);
    row.bytesToServer = bytesOf(talk);
    if (starttls) encrypted(row, talk);
    row.greetingClass = half ? ReplyClass.none : ReplyClass.ok;
    row.heloClass = row.greetingClass;
    row.dialect = this.#dialect | (quits || starttls || half ? 0 : Dialect.noQuit);
    row.lists = this.lists;
    row.dataless = this.#dataless;
    row.rcptOutcomes = this.#outcomes;
    if (login === null) return;
    row.authCode = login.succeeds ? 235 : 535;
    row.authAttempts = login.lengths.length;
    row.mechanism = login.mechanism;
    row.authFailures = login.lengths.length - (login.succeeds ? 1 : 0);
    const passwords = login.mechanism === 'LOGIN' ? [12] : [];
    row.authLengths = new Set([...login.lengths.map((n) => n & 63), ...passwords]).size;
  }
}
