// Messages: headers as mail programs write them and bodies cut from the pools. No real person, no
// real mail; domains are reserved ones (RFC 2606).

import type { LinePool, Pools, Slice } from './pool.js';
import { word } from './pool.js';
import type { Rng } from './rng.js';

/** A message in wire form (dot-stuffed where the pools are), ending in CRLF. */
export interface Message {
  readonly parts: readonly (string | Slice)[];
  /** Bytes on the wire in a DATA phase, without the terminator. */
  readonly wire: number;
  /** Lines whose first dot is the stuffing. */
  readonly dots: number;
}

const names =
  'anna ben carla deniz emil fatou georg hana ivan julia kofi lena minh nora omar'.split(' ');

/** A local part and domain of the reserved names. */
export function address(rng: Rng, domain?: string): string {
  const name = rng.chance(0.3) ? `${rng.pick(names)}.${word(rng)}` : rng.pick(names) + rng.int(900);
  return `${name}@${domain ?? domainName(rng)}`;
}

export function domainName(rng: Rng): string {
  const top = rng.pick(['example', 'example.net', 'example.org', 'example.com', 'test']);
  return `${rng.chance(0.5) ? word(rng) : `d${rng.int(5000)}`}.${top}`;
}

export interface MessageOptions {
  readonly from: string;
  readonly to: string;
  /** About how large, headers included. */
  readonly bytes: number;
  /** Instead of a made-up subject. */
  readonly subject?: string;
  /** Instead of a made-up Message-ID, without the brackets. */
  readonly id?: string;
}

/** A message of one of the usual shapes: plain, alternative with HTML, or with an attachment. */
export function makeMessage(rng: Rng, pools: Pools, o: MessageOptions): Message {
  const parts: (string | Slice)[] = [];
  const head = headers(rng, o);
  const rest = Math.max(200, o.bytes - head.length - 120);
  const kind = rng.int(100);
  const attach = o.bytes > 30_000 ? 60 : 15;
  if (kind < attach) {
    const boundary = `=_${rng.text(24)}`;
    parts.push(`${head}Content-Type: multipart/mixed; boundary="${boundary}"\r\n\r\n`);
    parts.push(`--${boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n`);
    fillWith(rng, pools.plain, Math.min(rest * 0.2, 3000), parts);
    parts.push(`--${boundary}\r\nContent-Type: application/pdf; name="${word(rng)}.pdf"\r\n`);
    parts.push('Content-Transfer-Encoding: base64\r\n\r\n');
    fillWith(rng, pools.base64, rest - Math.min(rest * 0.2, 3000) - 200, parts);
    parts.push(`--${boundary}--\r\n`);
  } else if (kind < attach + 40 && rest > 800) {
    const boundary = `----=_Part_${rng.int(1e8)}`;
    parts.push(`${head}Content-Type: multipart/alternative;\r\n\tboundary="${boundary}"\r\n\r\n`);
    parts.push(`--${boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n`);
    fillWith(rng, pools.plain, rest * 0.25, parts);
    parts.push(`--${boundary}\r\nContent-Type: text/html; charset=utf-8\r\n`);
    parts.push('Content-Transfer-Encoding: quoted-printable\r\n\r\n');
    fillWith(rng, pools.html, rest * 0.75 - 200, parts);
    parts.push(`--${boundary}--\r\n`);
  } else {
    parts.push(`${head}Content-Type: text/plain; charset=utf-8\r\n\r\n`);
    fillWith(rng, pools.plain, rest, parts);
  }
  return measured(parts);
}

function measured(parts: readonly (string | Slice)[]): Message {
  let wire = 0;
  let dots = 0;
  for (const part of parts) {
    if (typeof part === 'string') wire += part.length;
    else {
      wire += part.to - part.from;
      dots += part.dots;
    }
  }
  return { parts, wire, dots };
}

function fillWith(rng: Rng, pool: LinePool, bytes: number, parts: (string | Slice)[]): void {
  let left = Math.max(80, bytes);
  while (left > 0) {
    const slice = pool.slice(rng, Math.min(left, pool.bytes.length >> 1));
    parts.push(slice);
    left -= slice.to - slice.from;
  }
}

function headers(rng: Rng, o: MessageOptions): string {
  const clock = [rng.between(10, 23), rng.between(10, 59), rng.between(10, 59)].join(':');
  const date = `Tue, 14 Nov 2023 ${clock} +0000`;
  const domain = o.from.split('@')[1] ?? 'mailer.example';
  let text = `Received: from ${word(rng)}.${domain} (${word(rng)}.${domain} `;
  text += `[192.0.2.${rng.int(255)}])\r\n`;
  text += `\tby mx.${domain} (Postfix) with ESMTPS id 4${rng.text(12)}\r\n`;
  text += `\tfor <${o.to}>; ${date}\r\n`;
  if (rng.chance(0.5)) {
    text += `DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=${domain};\r\n`;
    text += `\ts=s${rng.int(9)}; t=1700000${rng.between(100, 999)}; bh=${rng.text(43)}=;\r\n`;
    text += '\th=Date:From:To:Subject:From;\r\n';
    text += `\tb=${rng.text(72)}\r\n\t ${rng.text(72)}\r\n\t ${rng.text(70)}==\r\n`;
  }
  text += `From: "${word(rng)} ${word(rng)}" <${o.from || `mailer-daemon@${domain}`}>\r\n`;
  text += `To: <${o.to}>\r\nSubject: ${o.subject ?? subject(rng)}\r\n`;
  text += `Date: ${date}\r\nMessage-ID: <${o.id ?? `${rng.text(20)}@${domain}`}>\r\n`;
  if (rng.chance(0.4)) text += `X-Mailer: ${word(rng)} ${rng.int(20)}.${rng.int(10)}\r\n`;
  if (rng.chance(0.2)) text += `List-Unsubscribe: <https://${domain}/u/${rng.text(30)}>\r\n`;
  return `${text}MIME-Version: 1.0\r\n`;
}

function subject(rng: Rng): string {
  let text = rng.chance(0.4) ? 'Re: ' : '';
  for (let n = rng.between(2, 8); n > 0; n--) text += `${word(rng)} `;
  if (rng.chance(0.15)) {
    return `=?UTF-8?B?${Buffer.from(`${text}\u00fc\u00e9`).toString('base64').slice(0, 60)}?=`;
  }
  return text.trimEnd();
}
