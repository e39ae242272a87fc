// The clear part of a TLS connection as clients and servers really send it: a ClientHello with SNI
// (RFC 8446 section 4.1.2), a ServerHello, and records whose content is noise. Nothing is
// encrypted.

import type { Rng } from './rng.js';

function sized(bytes: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(bytes);
  head.writeUIntBE(body.length, 0, bytes);
  return Buffer.concat([head, body]);
}

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  for (let i = 0; i < values.length; i++) bytes.writeUInt16BE(values[i]!, i * 2);
  return bytes;
}

function extension(type: number, ...body: Buffer[]): Buffer {
  return Buffer.concat([words(type), sized(2, ...body)]);
}

function noise(rng: Rng, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => rng.int(256)));
}

/** A TLS record (RFC 8446 section 5.1) of a content type. */
function record(type: number, body: Buffer, version = 0x0303): Buffer {
  return Buffer.concat([Buffer.from([type]), words(version), sized(2, body)]);
}

export interface HelloOptions {
  readonly sni?: string;
  /** Highest version offered: 0x0303 (TLS 1.2) or 0x0304 (TLS 1.3). */
  readonly version?: number;
}

/** A ClientHello in one record, as OpenSSL 3 orders ciphers and extensions. */
export function clientHello(rng: Rng, o: HelloOptions = {}): Buffer {
  const tls13 = (o.version ?? 0x0304) === 0x0304;
  const ciphers = [
    ...(tls13 ? [0x1302, 0x1303, 0x1301] : []),
    ...[0xc02c, 0xc030, 0x009f, 0xcca9, 0xcca8, 0xccaa, 0xc02b, 0xc02f, 0x009e, 0xc024, 0xc028],
    ...[0x006b, 0xc023, 0xc027, 0x0067, 0xc00a, 0xc014, 0x0039, 0x009d, 0x009c, 0x003d, 0x00ff],
  ];
  const extensions: Buffer[] = [];
  if (o.sni) {
    const name = Buffer.concat([Buffer.from([0]), sized(2, Buffer.from(o.sni, 'ascii'))]);
    extensions.push(extension(0, sized(2, name)));
  }
  extensions.push(
    extension(11, sized(1, Buffer.from([0, 1, 2]))),
    extension(10, sized(2, words(0x001d, 0x0017, 0x001e, 0x0019, 0x0018))),
    extension(35),
    extension(22),
    extension(23),
    extension(13, sized(2, words(0x0403, 0x0503, 0x0603, 0x0807, 0x0804, 0x0805, 0x0806, 0x0401))),
  );
  if (tls13) {
    extensions.push(
      extension(43, sized(1, words(0x0304, 0x0303))),
      extension(45, sized(1, Buffer.from([1]))),
      extension(51, sized(2, words(0x001d), sized(2, noise(rng, 32)))),
    );
  }
  const body = Buffer.concat([
    words(0x0303),
    noise(rng, 32),
    sized(1, noise(rng, 32)),
    sized(2, words(...ciphers)),
    sized(1, Buffer.from([0])),
    sized(2, ...extensions),
  ]);
  return record(22, Buffer.concat([Buffer.from([1]), sized(3, body)]), 0x0301);
}

/** The ServerHello of TLS 1.3, or of a resumed TLS 1.2 session, with its ChangeCipherSpec. */
export function serverHello(rng: Rng, version = 0x0304): Buffer {
  const tls13 = version === 0x0304;
  const extensions = tls13
    ? [extension(43, words(0x0304)), extension(51, words(0x001d), sized(2, noise(rng, 32)))]
    : [extension(0xff01, Buffer.from([0])), extension(23)];
  const body = Buffer.concat([
    words(0x0303),
    noise(rng, 32),
    sized(1, noise(rng, 32)),
    words(tls13 ? 0x1302 : 0xc030),
    Buffer.from([0]),
    sized(2, ...extensions),
  ]);
  const hello = record(22, Buffer.concat([Buffer.from([2]), sized(3, body)]));
  return Buffer.concat([hello, record(20, Buffer.from([1]))]);
}

/** The record header of `length` bytes of encrypted content; 23 is data, 22 a hidden handshake. */
export function recordHead(length: number, type = 23): Buffer {
  return Buffer.concat([Buffer.from([type]), words(0x0303, length)]);
}
