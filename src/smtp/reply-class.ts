// What a reply means to a detector: one class of a handful, from the code, the enhanced code (RFC
// 3463) and what its text says. The text is looked at where it is read and never kept.

/** Class of a reply; `none`: no reply was seen. Every other class rests on a reply that was. */
export const enum ReplyClass {
  none = 0,
  /** 2xx, and 354 to DATA. */
  ok = 1,
  /** The mailbox is not there. */
  unknownUser = 2,
  /** The server does not want this client, sender or message; or its text names a DNSBL. */
  policy = 3,
  /** The server does not carry mail for this client to that place. */
  relayDenied = 4,
  /** 4xx: perhaps later. */
  deferred = 5,
  /** The command was wrong or out of order. */
  protocol = 6,
  otherRefused = 7,
}

/** Names by number, as detection rules write them. */
export const replyClassNames = [
  'none',
  'ok',
  'unknown-user',
  'policy-refused',
  'relay-denied',
  'deferred',
  'protocol',
  'other-refused',
] as const;

/** How many classes there are. */
export const replyClasses = 8;

/** Where in the dialogue a reply stands: a refusal of MAIL says nothing of a mailbox. */
export const enum Stage {
  greeting = 0,
  helo = 1,
  mail = 2,
  rcpt = 3,
  data = 4,
  final = 5,
}

/** What the text of a reply said, beside list names. */
export const enum Said {
  relay = 1 << 0,
  /** It was the sender that did not please. */
  sender = 1 << 1,
  unknown = 1 << 2,
  policy = 1 << 3,
  /** `Recipient address rejected`, whatever for. */
  rcptRejected = 1 << 4,
}

/**
 * DNSBLs and reputation services by bit number, each with the words by which replies name it. The
 * first fifteen are those that Zeek's script for block list errors knows, which names their sites.
 */
const lists: readonly (readonly [name: string, ...words: string[]])[] = [
  ['spamhaus', 'spamhaus'],
  ['spamcop', 'spamcop'],
  ['cbl', 'abuseat', 'cbl.abuseat'],
  ['sorbs', 'sorbs'],
  ['barracudacentral', 'barracudacentral', 'barracuda central'],
  ['psbl', 'psbl', 'surriel'],
  ['uceprotect', 'uceprotect'],
  ['hostkarma', 'hostkarma', 'junkemailfilter'],
  ['sophos', 'sophos'],
  ['mail-abuse', 'mail-abuse'],
  ['borderware', 'borderware'],
  ['antispam-imp', 'antispam.imp'],
  ['dyndns', 'dyndns'],
  ['knology', 'knology'],
  ['datapacket', 'datapacket'],
  ['abusix', 'abusix'],
  ['backscatterer', 'backscatterer'],
  ['blocklist-de', 'blocklist.de'],
  ['cloudmark', 'cloudmark'],
  ['dronebl', 'dronebl'],
  ['gbudb', 'gbudb'],
  ['invaluement', 'invaluement'],
  ['lashback', 'lashback', 'unsubscore'],
  ['mailspike', 'mailspike'],
  ['nixspam', 'nixspam', 'manitu'],
  ['proofpoint', 'ipcheck.proofpoint', 'pdr.proofpoint'],
  ['senderscore', 'senderscore', 'senderbase', 'sender score'],
  ['spamrats', 'spamrats'],
  ['spfbl', 'spfbl'],
  ['trendmicro', 'trendmicro'],
  ['wpbl', 'wpbl'],
];

/** Names of lists by bit number of a list mask. */
export const listNames: readonly string[] = lists.map(([name]) => name);

/** Phrases of common servers, by what they say. Each stands between bytes that are no letters. */
const phrases: readonly (readonly [number, string])[] = [
  [
    Said.relay,
    `relay access denied, relaying denied, relay denied, relaying is denied, relay not permitted,
    relaying not permitted, relaying not allowed, relay not allowed, not permitted to relay,
    not allowed to relay, unable to relay, cannot relay, do not relay, no relaying,
    relay prohibited, relaying prohibited, relay operation rejected, allowed rcpthosts,
    not a relay, not an open relay`,
  ],
  [
    Said.sender,
    `sender address rejected, sender rejected, sender denied, sender verify failed,
    sender verification failed, invalid sender, unknown sender, bad sender, domain of sender,
    sender domain`,
  ],
  [
    Said.unknown,
    `user unknown, unknown user, no such user, no such mailbox, no such recipient, no such address,
    no such account, no such person, no user here, no mailbox here, no mailbox by that name,
    unknown recipient, recipient unknown, unknown mailbox, unknown address, address unknown,
    unknown local, unknown or illegal alias, invalid recipient, invalid mailbox, invalid user,
    invalid address, recipient not found, user not found, mailbox not found, address not found,
    account not found, does not exist, doesn't exist, no longer exists, mailbox unavailable,
    mailbox not available, mailbox disabled, mailbox is disabled, mailbox inactive,
    mailbox has been disabled, account disabled, account is disabled, account has been disabled,
    account inactive, unrouteable address, unroutable address, undeliverable address,
    not a valid mailbox, not a valid user, bad destination mailbox, doesn't have a,
    no longer valid, no longer active, not known here, not listed in`,
  ],
  [
    Said.policy,
    `blocked, blacklisted, blacklist, black list, blocklisted, blocklist, block list, denylist, rbl,
    dnsbl, spam, spammer, spamming, unsolicited, policy, policies, administrative prohibition,
    access denied, access to this mail system, reputation, client host rejected, host rejected,
    helo command rejected, dynamic ip, dynamic address, dynamically assigned, residential,
    generic hostname, reverse dns, reverse hostname, rdns, ptr, spf, dmarc, dkim, banned,
    not accepting mail from, connection refused, connection rejected, not welcome, go away,
    open relay, suspicious, virus, malware, phishing`,
  ],
  [Said.rcptRejected, 'recipient address rejected, recipient rejected'],
];

/** Bytes of a line that are looked through (RFC 5321 section 4.5.3.1.5 allows 512). */
export const replyBytesMax = 512;

/**
 * Looks through the text of a refusal for phrases and list names. Words that hold an `@` are an
 * address or a part of one: what somebody named his mailbox or domain says nothing.
 */
export class ReplyText {
  /** Bits of `Said`, and of lists, in what `read` was given last. */
  said = 0;
  lists = 0;
  /** First pattern of a letter, and the next one of the same letter; 0 is none. */
  readonly #first = new Uint16Array(256);
  readonly #next: Uint16Array;
  readonly #start: Uint16Array;
  readonly #bytes: Uint8Array;
  /** What a pattern says: a bit of `Said`, or below 0 the complement of a list's number. */
  readonly #means: Int8Array;

  constructor() {
    const patterns = patternsOf();
    this.#bytes = Buffer.from(patterns.map(({ text }) => text).join(''), 'latin1');
    this.#next = new Uint16Array(patterns.length + 1);
    this.#start = new Uint16Array(patterns.length + 2);
    this.#means = new Int8Array(patterns.length + 1);
    patterns.forEach(({ means, text }, i) => {
      const number = i + 1;
      const letter = text.charCodeAt(0);
      this.#means[number] = means;
      this.#start[number + 1] = this.#start[number]! + text.length;
      this.#next[number] = this.#first[letter]!;
      this.#first[letter] = number;
    });
  }

  /** Reads the text [from, to) of one line; sets `said` and `lists`. */
  read(bytes: Uint8Array, from: number, to: number): void {
    this.said = 0;
    this.lists = 0;
    const stop = Math.min(to, from + replyBytesMax);
    let inWord = false;
    for (let at = from; at < stop; at++) {
      const byte = folded(bytes[at]!);
      if (!inWord && this.#first[byte] !== 0) this.#match(bytes, at, from, stop);
      inWord = isWord(byte);
    }
  }

  /** Tries the patterns that begin with the letter at `at`. */
  #match(bytes: Uint8Array, at: number, from: number, to: number): void {
    let pattern = this.#first[folded(bytes[at]!)]!;
    for (; pattern !== 0; pattern = this.#next[pattern]!) {
      const start = this.#start[pattern]!;
      const length = this.#start[pattern + 1]! - start;
      const end = at + length;
      if (end > to || (end < to && isWord(folded(bytes[end]!)))) continue;
      let same = 1;
      while (same < length && folded(bytes[at + same]!) === this.#bytes[start + same]) same++;
      if (same < length || isAddress(bytes, at, end, from, to)) continue;
      const means = this.#means[pattern]!;
      if (means < 0) this.lists |= 1 << ~means;
      else this.said |= means;
    }
  }
}

interface Pattern {
  readonly means: number;
  readonly text: string;
}

// allocates: once, for the constructor
function patternsOf(): Pattern[] {
  const names = lists.flatMap(([, ...words], list) =>
    words.map((text) => ({ means: ~list, text })),
  );
  const others = phrases.flatMap(([means, texts]) =>
    texts.split(',').map((text) => ({ means, text: text.trim().replace(/\s+/g, ' ') })),
  );
  return [...names, ...others];
}

function folded(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte | 32 : byte;
}

function isWord(byte: number): boolean {
  return (byte >= 97 && byte <= 122) || (byte >= 48 && byte <= 57);
}

/** Whether the words that [at, end) lies in hold an `@`. */
function isAddress(bytes: Uint8Array, at: number, end: number, from: number, to: number): boolean {
  let first = at;
  let last = end;
  while (first > from && !isBreak(bytes[first - 1]!)) first--;
  while (last < to && !isBreak(bytes[last]!)) last++;
  for (let i = first; i < last; i++) if (bytes[i] === 64) return true;
  return false;
}

/** White space, brackets and quotes end a word of a reply. */
function isBreak(byte: number): boolean {
  if (byte <= 34 || byte === 60 || byte === 62) return true;
  return byte === 40 || byte === 41 || byte === 91 || byte === 93 || byte === 44 || byte === 59;
}

/**
 * The class of a reply. `enhanced` is the subject and detail of its enhanced code as subject * 100
 * + detail, -1 without one; `said` and `named` are what `ReplyText` found in all of its lines.
 *
 * Without a word in the text, codes are read as RFC 5321 section 4.2.3 has them: 550, 551 and 553
 * speak of the mailbox where a recipient is refused, and before that of the client's welcome.
 */
export function replyClassOf(
  stage: number,
  code: number,
  enhanced: number,
  said: number,
  named: number,
): number {
  if (code < 200 || code > 599) return ReplyClass.none;
  if (code < 400) return ReplyClass.ok;
  if (code < 500) return ReplyClass.deferred;
  if (named !== 0) return ReplyClass.policy;
  if (code <= 504 || code === 555) return ReplyClass.protocol;
  // It asks for AUTH or TLS first (RFC 4954 section 6, RFC 3207 section 4).
  if (code === 530 || code === 534 || code === 535 || code === 538) return ReplyClass.otherRefused;
  if ((said & Said.relay) !== 0) return ReplyClass.relayDenied;
  if ((said & Said.sender) !== 0) return ReplyClass.policy;
  if (stage === Stage.rcpt && isUnknown(enhanced, said)) return ReplyClass.unknownUser;
  const subject = enhanced < 0 ? 0 : Math.floor(enhanced / 100);
  if (subject === 7 || enhanced === 107 || enhanced === 108) return ReplyClass.policy;
  if (subject === 5) return ReplyClass.protocol;
  if ((said & Said.policy) !== 0) return ReplyClass.policy;
  return subject === 0 ? plainClassOf(stage, code) : ReplyClass.otherRefused;
}

/** Whether a recipient's refusal says that the mailbox is not there. */
function isUnknown(enhanced: number, said: number): boolean {
  if ((said & Said.unknown) !== 0) return true;
  // X.1.7 and X.1.8 speak of the sender's address, the others of the recipient's.
  if (enhanced >= 100 && enhanced < 200) return enhanced !== 107 && enhanced !== 108;
  if (enhanced === 201) return true;
  // Exchange Online refuses who is not in its directory as "5.4.1 Recipient address rejected".
  return enhanced === 401 && (said & Said.rcptRejected) !== 0;
}

/** The class of a refusal of which nothing but the code is known. */
function plainClassOf(stage: number, code: number): number {
  if (stage >= Stage.data) return ReplyClass.otherRefused;
  if (code === 554 || code === 571) return ReplyClass.policy;
  if (code !== 550 && code !== 551 && code !== 553) return ReplyClass.otherRefused;
  return stage === Stage.rcpt ? ReplyClass.unknownUser : ReplyClass.policy;
}

/** Subject and detail of an enhanced status code (RFC 3463) as subject * 100 + detail, or -1. */
export function enhancedOf(bytes: Uint8Array, from: number, to: number): number {
  if (to - from < 5 || bytes[from + 1] !== 46) return -1;
  const c = bytes[from]!;
  if (c !== 50 && c !== 52 && c !== 53) return -1;
  let at = from + 2;
  let subject = 0;
  for (; at < to && bytes[at]! >= 48 && bytes[at]! <= 57 && subject < 100; at++) {
    subject = subject * 10 + bytes[at]! - 48;
  }
  if (at >= to || bytes[at] !== 46) return -1;
  let detail = 0;
  for (at++; at < to && bytes[at]! >= 48 && bytes[at]! <= 57 && detail < 100; at++) {
    detail = detail * 10 + bytes[at]! - 48;
  }
  return subject * 100 + Math.min(detail, 99);
}
