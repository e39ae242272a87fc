// What a TLS ClientHello says in clear: server name, highest version offered, JA4 fingerprint. It
// is no TLS stack: nothing is negotiated, no other message is read, and the SSL 2.0 form of the
// message is not known. It assumes that the bytes begin at a record and have no gap.

import { u16be } from '../lib/bytes.js';

//   record       22 | version 2 | length 2 | fragment          (RFC 8446 section 5.1)
//   handshake     1 | length 3 | ClientHello                   (RFC 8446 sections 4 and 4.1.2)
//   ClientHello  version 2 | random 32 | session id <1> | cipher suites <2> | compression <1>
//                | extensions <2>, which may be absent before TLS 1.3      (<n>: n bytes of length)
//   extension    type 2 | data <2>

/** Answers of `ClientHelloReader.read`. */
export const enum Hello {
  complete = 0,
  needMore = 1,
  notHello = 2,
}

/** Bytes of handshake message that are read, its header included. */
const messageBytesMax = 16384;

const recordHeaderBytes = 5;
const handshakeHeaderBytes = 4;
const fragmentBytesMax = 16384;
const sniBytesMax = 255;

const handshakeRecord = 22;
const clientHello = 1;

const enum Extension {
  serverName = 0,
  signatureAlgorithms = 13,
  alpn = 16,
  supportedVersions = 43,
}

/** The field of a JA4 whose list is empty. */
const emptyHash = '000000000000';

/**
 * May a TLS connection begin here? True if all that is there of the first three bytes fits a
 * handshake record of SSL 3.0 to TLS 1.3; false for no bytes at all.
 */
export function looksLikeTls(bytes: Uint8Array, from: number, to: number): boolean {
  if (from >= to || bytes[from] !== handshakeRecord) return false;
  if (from + 1 < to && bytes[from + 1] !== 3) return false;
  return from + 2 >= to || bytes[from + 2]! <= 4;
}

/**
 * Reads one ClientHello at a time; one instance serves all connections of a thread. Takes the hash
 * function because this stage imports none: `sha256` gives the lower-case hex digest of ASCII text.
 * The fields hold what the last `complete` read found, and are '' after any other answer.
 */
export class ClientHelloReader {
  /** Host name of the SNI extension (RFC 6066 section 3) in lower case; '' if none is valid. */
  sni: string;
  /** Highest version offered, as Suricata spells it: SSLv3, TLSv1, TLS 1.1, TLS 1.2, TLS 1.3. */
  version: string;
  /** FoxIO's JA4, TLS over TCP: t13d1516h2_8daaf6152771_e5627efa2ab1. */
  ja4: string;

  #sha256: (text: string) => string;
  #message: Uint8Array;
  #at: number;
  #end: number;
  #values: Uint16Array;
  #text: Buffer;

  #legacyVersion: number;
  #offeredVersion: number;
  #offeredKnown: number;
  #ciphersFrom: number;
  #ciphersTo: number;
  #extensionsFrom: number;
  #signaturesFrom: number;
  #signaturesTo: number;
  #hasServerName: boolean;
  #alpn: string;

  constructor(sha256: (text: string) => string) {
    this.sni = '';
    this.version = '';
    this.ja4 = '';
    this.#sha256 = sha256;
    this.#message = new Uint8Array(messageBytesMax);
    this.#at = 0;
    this.#end = 0;
    this.#values = new Uint16Array(messageBytesMax / 2);
    this.#text = Buffer.alloc((messageBytesMax / 2) * 5);
    this.#legacyVersion = 0;
    this.#offeredVersion = 0;
    this.#offeredKnown = 0;
    this.#ciphersFrom = 0;
    this.#ciphersTo = 0;
    this.#extensionsFrom = 0;
    this.#signaturesFrom = 0;
    this.#signaturesTo = 0;
    this.#hasServerName = false;
    this.#alpn = '';
  }

  /**
   * The ClientHello at `from`, in one or more records. `needMore` asks for the same bytes again
   * with more behind them; it is never answered for a message of more than 16 KiB. Records behind
   * the message are not looked at. The bytes are not kept.
   */
  read(bytes: Uint8Array, from: number, to: number): number {
    this.sni = '';
    this.version = '';
    this.ja4 = '';
    const answer = this.#join(bytes, Math.max(from, 0), Math.min(to, bytes.length));
    if (answer !== Hello.complete) return answer;
    if (!this.#readBody()) return Hello.notHello;
    // JA4 takes the highest number, of whatever meaning; people want the highest version there is.
    this.version = versionName(this.#offeredKnown || this.#highestVersion());
    this.ja4 = this.#keepJa4();
    return Hello.complete;
  }

  /** Copies the fragments of the message to `#message`; the message is `[4, #end)` of it. */
  #join(bytes: Uint8Array, from: number, to: number): number {
    const message = this.#message;
    let record = from;
    let have = 0;
    let need = handshakeHeaderBytes;
    while (have < need) {
      const left = to - record;
      if (left < recordHeaderBytes) {
        return left <= 0 || looksLikeTls(bytes, record, to) ? Hello.needMore : Hello.notHello;
      }
      const length = u16be(bytes, record + 3);
      // A handshake fragment is never empty (RFC 8446 section 5.1).
      if (!looksLikeTls(bytes, record, to) || length === 0 || length > fragmentBytesMax) {
        return Hello.notHello;
      }
      const fragment = record + recordHeaderBytes;
      record = fragment + length;
      const end = Math.min(record, to);
      for (let at = fragment; at < end && have < need; at++) {
        message[have++] = bytes[at]!;
        if (have !== handshakeHeaderBytes) continue;
        need = handshakeHeaderBytes + (message[1]! << 16) + u16be(message, 2);
        if (need > messageBytesMax) return Hello.notHello;
      }
      if (have > 0 && message[0] !== clientHello) return Hello.notHello;
      if (have < need && record > to) return Hello.needMore;
    }
    this.#end = need;
    return Hello.complete;
  }

  /** Finds the parts of the message; false if a length does not fit. */
  #readBody(): boolean {
    const message = this.#message;
    this.#at = handshakeHeaderBytes;
    if (this.#end - this.#at < 2 + 32) return false;
    this.#legacyVersion = u16be(message, this.#at);
    this.#at += 2 + 32;
    const sessionId = this.#vector(1);
    if (sessionId < 0 || this.#at - sessionId > 32) return false;
    this.#ciphersFrom = this.#vector(2);
    this.#ciphersTo = this.#at;
    if (this.#ciphersFrom < 0 || (this.#ciphersTo - this.#ciphersFrom) % 2 !== 0) return false;
    if (this.#vector(1) < 0) return false;
    this.#offeredVersion = 0;
    this.#offeredKnown = 0;
    this.#signaturesFrom = 0;
    this.#signaturesTo = 0;
    this.#hasServerName = false;
    this.#alpn = '';
    this.#extensionsFrom = this.#end;
    if (this.#at === this.#end) return true;
    this.#extensionsFrom = this.#vector(2);
    return this.#extensionsFrom >= 0 && this.#at === this.#end && this.#readExtensions();
  }

  /** Steps over a vector with so many bytes of length (RFC 8446 section 3.4): its start or -1. */
  #vector(lengthBytes: number): number {
    const first = this.#at + lengthBytes;
    if (first > this.#end) return -1;
    const message = this.#message;
    const length = lengthBytes === 1 ? message[this.#at]! : u16be(message, this.#at);
    if (length > this.#end - first) return -1;
    this.#at = first + length;
    return first;
  }

  /** What is wrong inside one extension costs what that one would have told, not the hello. */
  #readExtensions(): boolean {
    const end = this.#end;
    this.#at = this.#extensionsFrom;
    while (this.#at < end) {
      if (end - this.#at < 4) return false;
      const type = u16be(this.#message, this.#at);
      this.#at += 2;
      const from = this.#vector(2);
      if (from < 0) return false;
      this.#readExtension(type, from, this.#at);
    }
    return true;
  }

  #readExtension(type: number, from: number, to: number): void {
    switch (type) {
      case Extension.serverName:
        if (!this.#hasServerName) this.sni = this.#keepServerName(from, to);
        this.#hasServerName = true;
        break;
      case Extension.alpn:
        if (this.#alpn === '') this.#alpn = this.#keepAlpn(from, to);
        break;
      case Extension.signatureAlgorithms:
        this.#findSignatures(from, to);
        break;
      case Extension.supportedVersions:
        this.#findVersions(from, to);
        break;
      default: // told by its type alone
    }
  }

  /** RFC 6066 section 3: a list of (type, name), of which type 0 is a host name. */
  #keepServerName(from: number, to: number): string {
    const message = this.#message;
    if (to - from < 2 || u16be(message, from) !== to - from - 2) return '';
    let at = from + 2;
    while (to - at >= 3) {
      const name = at + 3;
      const end = name + u16be(message, at + 1);
      if (end > to) return '';
      if (message[at] === 0) return this.#keepHost(name, end);
      at = end;
    }
    return '';
  }

  /** Letters, digits, '-', '.' and '_': what names in the DNS have. All else is no host name. */
  #keepHost(from: number, to: number): string {
    if (to === from || to - from > sniBytesMax) return '';
    for (let i = 0; i < to - from; i++) {
      const byte = this.#message[from + i]!;
      if (!isAlphanumeric(byte) && byte !== 0x2d && byte !== 0x2e && byte !== 0x5f) return '';
      this.#text[i] = byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
    }
    return this.#text.toString('latin1', 0, to - from);
  }

  /** JA4's two characters for the first protocol name (RFC 7301 section 3.1), GREASE left out. */
  #keepAlpn(from: number, to: number): string {
    const message = this.#message;
    if (to - from < 2 || u16be(message, from) !== to - from - 2) return '';
    let at = from + 2;
    while (at < to) {
      const name = at + 1;
      const end = name + message[at]!;
      if (end > to || end === name) return '';
      const isGreaseName = end - name === 2 && isGrease(u16be(message, name));
      if (!isGreaseName) return alpnCharacters(message[name]!, message[end - 1]!);
      at = end;
    }
    return '';
  }

  /** RFC 8446 section 4.2.3. */
  #findSignatures(from: number, to: number): void {
    if (to - from < 2) return;
    const length = u16be(this.#message, from);
    if (length > to - from - 2 || length % 2 !== 0) return;
    this.#signaturesFrom = from + 2;
    this.#signaturesTo = from + 2 + length;
  }

  /** RFC 8446 section 4.2.1: the versions offered, in the client's order. */
  #findVersions(from: number, to: number): void {
    if (to === from || this.#message[from]! > to - from - 1) return;
    const end = from + 1 + this.#message[from]!;
    for (let at = from + 1; at + 1 < end; at += 2) {
      const version = u16be(this.#message, at);
      if (isGrease(version)) continue;
      if (version > this.#offeredVersion) this.#offeredVersion = version;
      if (version > this.#offeredKnown && isKnown(version)) this.#offeredKnown = version;
    }
  }

  /** A client that sends supported_versions offers those and no others (RFC 8446 section 4.2.1). */
  #highestVersion(): number {
    return this.#offeredVersion > 0 ? this.#offeredVersion : this.#legacyVersion;
  }

  #keepJa4(): string {
    const ciphers = this.#collect(this.#ciphersFrom, this.#ciphersTo);
    const cipherText = this.#keepSorted(ciphers);
    let extensions = 0;
    let hashed = 0;
    for (let at = this.#extensionsFrom; at < this.#end; at += 4 + u16be(this.#message, at + 2)) {
      const type = u16be(this.#message, at);
      if (isGrease(type)) continue;
      extensions++;
      if (type !== Extension.serverName && type !== Extension.alpn) this.#values[hashed++] = type;
    }
    let extensionText = this.#keepSorted(hashed);
    const signatures = this.#collect(this.#signaturesFrom, this.#signaturesTo);
    if (signatures > 0) extensionText += `_${this.#keepHex(signatures)}`;
    const version = ja4Version(this.#highestVersion());
    const name = this.#hasServerName ? 'd' : 'i';
    const counts = twoDigits(ciphers) + twoDigits(extensions);
    const alpn = this.#alpn === '' ? '00' : this.#alpn;
    const hashes = `${this.#hash(cipherText)}_${this.#hash(extensionText)}`;
    return `t${version}${name}${counts}${alpn}_${hashes}`;
  }

  /** The 16-bit values of `[from, to)` in order, without GREASE, to `#values`: their number. */
  #collect(from: number, to: number): number {
    let count = 0;
    for (let at = from; at < to; at += 2) {
      const value = u16be(this.#message, at);
      if (!isGrease(value)) this.#values[count++] = value;
    }
    return count;
  }

  #keepSorted(count: number): string {
    this.#values.subarray(0, count).sort();
    return this.#keepHex(count);
  }

  /** The first `count` values as 4 hex digits each, with commas between. */
  #keepHex(count: number): string {
    const text = this.#text;
    let used = 0;
    for (let i = 0; i < count; i++) {
      const value = this.#values[i]!;
      if (i > 0) text[used++] = 0x2c;
      for (let shift = 12; shift >= 0; shift -= 4) text[used++] = hexDigit((value >> shift) & 15);
    }
    return text.toString('latin1', 0, used);
  }

  // allocates: twelve characters, once a TLS session
  #hash(text: string): string {
    return text === '' ? emptyHash : this.#sha256(text).slice(0, 12);
  }
}

/** RFC 8701 section 2: 0x0a0a, 0x1a1a, ... 0xfafa. */
function isGrease(value: number): boolean {
  return (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff);
}

function isKnown(version: number): boolean {
  return version >= 0x0300 && version <= 0x0304;
}

/** A version unknown to Suricata is its number there, and here. */
function versionName(version: number): string {
  switch (version) {
    case 0x0300:
      return 'SSLv3';
    case 0x0301:
      return 'TLSv1';
    case 0x0302:
      return 'TLS 1.1';
    case 0x0303:
      return 'TLS 1.2';
    case 0x0304:
      return 'TLS 1.3';
    default:
      return `0x${version.toString(16).padStart(4, '0')}`;
  }
}

function ja4Version(version: number): string {
  if (version >= 0x0301 && version <= 0x0304) return `1${version - 0x0301}`;
  if (version === 0x0300) return 's3';
  return version === 0x0002 ? 's2' : '00';
}

/** The outer bytes as they are or, where one is not alphanumeric, the outer digits of their hex. */
function alpnCharacters(first: number, last: number): string {
  if (isAlphanumeric(first) && isAlphanumeric(last)) return String.fromCharCode(first, last);
  return String.fromCharCode(hexDigit(first >> 4), hexDigit(last & 15));
}

function isAlphanumeric(byte: number): boolean {
  const letter = byte | 0x20;
  return (byte >= 0x30 && byte <= 0x39) || (letter >= 0x61 && letter <= 0x7a);
}

function hexDigit(value: number): number {
  return value < 10 ? 0x30 + value : 0x57 + value;
}

/** JA4 has two digits for a count, and 99 for any that has more. */
function twoDigits(count: number): string {
  return String(Math.min(count, 99)).padStart(2, '0');
}
