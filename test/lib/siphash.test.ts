// SipHash against the reference vectors of its authors (vectors.h of the reference code: key 00 to
// 0f, message n is the bytes 0 to n - 1) and against the paper written down in big integers.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SipHash } from '../../src/lib/siphash.js';

const vectors = `
  a3817f04ba25a8e66df67214c7550293 da87c1d86b99af44347659119b22fc45
  8177228da4a45dc7fca38bdef60affe4 9c70b60c5267a94e5f33b6b02985ed51
  f88164c12d9c8faf7d0f6e7c7bcd5579 1368875980776f8854527a07690e9627
  14eeca338b208613485ea0308fd7a15e a1f1ebbed8dbc153c0b84aa61ff08239
  3b62a9ba6258f5610f83e264f31497b4 264499060ad9baabc47f8b02bb6d71ed
  00110dc378146956c95447d3f3d0fbba 0151c568386b6677a2b4dc6f81e5dc18
  d626b266905ef35882634df68532c125 9869e247e9c08b10d029934fc4b952f7
  31fcefac66d7de9c7ec7485fe4494902 5493e99933b0a8117e08ec0f97cfc3d9
  6ee2a4ca67b054bbfd3315bf85230577 473d06e8738db89854c066c47ae47740
  a426e5e423bf4885294da481feaef723 78017731cf65fab074d5208952512eb1
  9e25fc833f2290733e9344a5e83839eb 568e495abe525a218a2214cd3e071d12
  4a29b54552d16b9a469c10528eff0aae c9d184ddd5a9f5e0cf8ce29a9abf691c
  2db479ae78bd50d8882a8a178a6132ad 8ece5f042d5e447b5051b9eacb8d8f6f
  9c0b53b4b3c307e87eaee08678141f66 abf248af69a6eae4bfd3eb2f129eeb94
  0664da1668574b88b935f3027358aef4 aa4b9dc4bf337de90cd4fd3c467c6ab7
  ea5c7f471faf6bde2b1ad7d4686d2287 2939b0183223fafc1723de4f52c43d35
  7c3956ca5eeafc3e363e9d556546eb68 77c6077146f01c32b6b69d5f4ea9ffcf
  37a6986cb8847edf0925f0f1309b54de a705f0e69da9a8f907241a2e923c8cc8
  3dc47d1f29c448461e9e76ed904f6711 0d62bf01e6fc0e1a0d3c4751c5d3692b
  8c03468bca7c669ee4fd5e084bbee7b5 528a5bb93baf2c9c4473cce5d0d22bd9
  df6a301e95c95dad97ae0cc8c6913bd8 801189902c857f39e73591285e70b6db
  e617346ac9c231bb3650ae34ccca0c5b 27d93437efb721aa401821dcec5adf89
  89237d9ded9c5e78d8b1c9b166cc7342 4a6d8091bf5e7d651189fa94a250b14c
  0e33f96055e7ae893ffc0e3dcf492902 e61c432b720b19d18ec8d84bdc63151b
  f7e5aef549f782cf379055a608269b16 438d030fd0b7a54fa837f2ad201a6403
  a590d3ee4fbf04e3247e0d27f286423f 5fe2c1a172fe93c4b15cd37caef9f538
  2c97325cbd06b36eb2133dd08b3a017c 92c814227a6bca949ff0659f002ad39e
  dce850110bd8328cfbd50841d6911d87 67f14984c7da791248e32bb5922583da
  1938f2cf72d54ee97e94166fa91d2a36 74481e9646ed49fe0f6224301604698e
  57fca5de98a9d6d8006438d0583d8a1d 9fecde1cefdc1cbed4763674d9575359
  e3040c00eb28f15366ca73cbd872e740 7697009a6a831dfecca91c5993670f7a
  5853542321f567a005d547a4f04759bd 5150d1772f50834a503e069a973fbd7c`
  .trim()
  .split(/\s+/);

const referenceKey = Buffer.from(Array.from({ length: 16 }, (_, i) => i));

function hexOf(hash: SipHash, bytes: Uint8Array, fold = false, from = 0, to = bytes.length) {
  hash.hash(bytes, from, to, fold);
  const digest = Buffer.alloc(16);
  [hash.h0, hash.h1, hash.h2, hash.h3].forEach((word, i) => {
    digest.writeInt32LE(word, i * 4);
  });
  return digest.toString('hex');
}

const mask = (1n << 64n) - 1n;
const rotl = (x: bigint, by: bigint): bigint => ((x << by) | (x >> (64n - by))) & mask;

/** The paper's figure 2.1, and the 128-bit variant of the reference code. */
function twin(key: Buffer, message: Buffer): string {
  const k0 = key.readBigUInt64LE(0);
  const k1 = key.readBigUInt64LE(8);
  let v0 = k0 ^ 0x736f6d6570736575n;
  let v1 = k1 ^ 0x646f72616e646f6dn ^ 0xeen;
  let v2 = k0 ^ 0x6c7967656e657261n;
  let v3 = k1 ^ 0x7465646279746573n;
  const rounds = (count: number) => {
    for (let i = 0; i < count; i++) {
      v0 = (v0 + v1) & mask;
      v2 = (v2 + v3) & mask;
      v1 = rotl(v1, 13n) ^ v0;
      v3 = rotl(v3, 16n) ^ v2;
      v0 = rotl(v0, 32n);
      v2 = (v2 + v1) & mask;
      v0 = (v0 + v3) & mask;
      v1 = rotl(v1, 17n) ^ v2;
      v3 = rotl(v3, 21n) ^ v0;
      v2 = rotl(v2, 32n);
    }
  };
  const padded = Buffer.alloc((message.length & ~7) + 8);
  message.copy(padded);
  padded[padded.length - 1] = message.length & 0xff;
  for (let at = 0; at < padded.length; at += 8) {
    const m = padded.readBigUInt64LE(at);
    v3 ^= m;
    rounds(2);
    v0 ^= m;
  }
  const digest = Buffer.alloc(16);
  v2 ^= 0xeen;
  rounds(4);
  digest.writeBigUInt64LE(v0 ^ v1 ^ v2 ^ v3, 0);
  v1 ^= 0xddn;
  rounds(4);
  digest.writeBigUInt64LE(v0 ^ v1 ^ v2 ^ v3, 8);
  return digest.toString('hex');
}

describe('SipHash-2-4-128', () => {
  it('gives the reference vectors', () => {
    const hash = new SipHash(referenceKey);
    expect(vectors).toHaveLength(64);
    const got = vectors.map((_, n) => hexOf(hash, referenceBytes(n)));
    expect(got).toEqual(vectors);
  });

  it('is the paper, for any key, message and place in a buffer', () => {
    const bytes = (max: number) => fc.uint8Array({ maxLength: max });
    const key = fc.uint8Array({ minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(key, bytes(300), bytes(9), bytes(9), (k, message, before, behind) => {
        const all = Buffer.concat([before, message, behind]);
        const to = before.length + message.length;
        const got = hexOf(new SipHash(k), all, false, before.length, to);
        expect(got).toBe(twin(Buffer.from(k), Buffer.from(message)));
      }),
    );
  });

  it('folds the letters A to Z and nothing else', () => {
    const hash = new SipHash(referenceKey);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (message) => {
        const lower = message.map((byte) => (byte >= 65 && byte <= 90 ? byte + 32 : byte));
        expect(hexOf(hash, message, true)).toBe(hexOf(hash, lower));
      }),
    );
    expect(hexOf(hash, Buffer.from('Bob@EXAMPLE.org'), true)).toBe(
      hexOf(hash, Buffer.from('bob@example.org')),
    );
    expect(hexOf(hash, Buffer.from('[\\]^_`{|}~@'), true)).not.toBe(
      hexOf(hash, Buffer.from('{|}~_`{|}~`')),
    );
  });

  it('wants a key of 16 bytes', () => {
    expect(() => new SipHash(Buffer.alloc(15))).toThrow('a SipHash key has 16 bytes, not 15');
  });
});

function referenceBytes(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, i) => i));
}
