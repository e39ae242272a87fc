// One capture with every kind of frame that must stay on one worker with the rest of its
// connection: IPv4 and IPv6, tags, MPLS, PPPoE, fragments, and port 25 to port 25. Conversations
// overlap in time. It loses nothing and puts nothing out of order.

import { type ConversationOptions, dialogue, type Frame } from './conversation.js';
import { ethernet, fragment4, fragment6, mpls, pppoe, vlan } from './frame.js';

/** Where chance comes from: `Random` of lib, or `Rng` here. */
interface Chance {
  /** From 0 up to, not including, `limit`. */
  below(limit: number): number;
}

type Link = (packet: Buffer) => Buffer;

/** What may be around an IP packet. */
const links: readonly Link[] = [
  (packet) => ethernet(packet),
  (packet) => ethernet(vlan(packet, { id: 7 })),
  (packet) => ethernet(vlan(vlan(packet, { id: 30 }), { id: 20, tpid: 0x88a8 })),
  (packet) => ethernet(mpls(packet, [16, 17])),
  (packet) => ethernet(pppoe(packet)),
];

/** One delivery. */
const delivery = `
  S: 220 mx.example.net ESMTP
  C: EHLO client.example.org
  S: 250-mx.example.net
  S: 250 PIPELINING
  C: MAIL FROM:<a@example.org>
  C: RCPT TO:<b@example.net>
  C: DATA
  S: 250 ok
  S: 250 ok
  S: 354 go on
  C: Subject: ${'long '.repeat(200)}

  C: text
  C: .
  S: 250 taken
  C: QUIT
  S: 221 bye
  --`;

const start = 1_700_000_000_000_000;
/** IP payload of a fragment. */
const fragmentBytes = 400;

/** `count` connections as one capture; each is one of `texts`, in the form of `dialogue`. */
export function everyKind(
  chance: Chance,
  count: number,
  texts: readonly string[] = [delivery],
): Frame[] {
  const connections = everyConnection(chance, count, texts);
  return connections.flatMap(({ frames }) => frames).sort((a, b) => a.time - b.time);
}

/** A connection, and which kinds it is of: one of each group of `kinds`. */
export interface KindOfConnection {
  readonly kinds: readonly string[];
  readonly frames: readonly Frame[];
}

/** What a connection of `everyConnection` may be, in groups. */
export const kinds: readonly (readonly string[])[] = [
  ['IPv4', 'IPv6'],
  ['plain', 'VLAN', 'QinQ', 'MPLS', 'PPPoE'],
  ['fragments', 'whole'],
  ['port 25 to 25', 'port above'],
];

/** The same, connection by connection. */
export function everyConnection(
  chance: Chance,
  count: number,
  texts: readonly string[] = [delivery],
): KindOfConnection[] {
  return Array.from({ length: count }, (_, index) =>
    connection(chance, index, texts[chance.below(texts.length)]!),
  );
}

function connection(chance: Chance, index: number, text: string): KindOfConnection {
  const six = chance.below(3) === 0;
  const around = (index + chance.below(2)) % links.length;
  const link = links[around]!;
  const low = 1 + chance.below(200);
  const options: ConversationOptions = {
    client: six ? `2001:db8:${index.toString(16)}::${low}` : `192.0.${index & 255}.${low}`,
    server: six ? `2001:db8:ffff::${1 + chance.below(9)}` : `198.51.100.${1 + chance.below(9)}`,
    clientPort: chance.below(4) === 0 ? 25 : 20_000 + index,
    start: start + chance.below(2_000_000),
    rtt: 2 + chance.below(40_000),
    link: (packet) => packet,
  };
  const cut = chance.below(3) === 0;
  const frames = dialogue(text, options).frames.flatMap((frame, at) => {
    const whole = !cut || frame.bytes.length <= fragmentBytes + 60;
    const packets = whole ? [frame.bytes] : fragments(frame.bytes, six, index * 1000 + at);
    return packets.map((packet) => ({ ...frame, bytes: link(packet) }));
  });
  const [ip, wrapping, form, port] = kinds as [string[], string[], string[], string[]];
  const own = options.clientPort === 25 ? port[0]! : port[1]!;
  return { kinds: [ip[six ? 1 : 0]!, wrapping[around]!, form[cut ? 0 : 1]!, own], frames };
}

function fragments(packet: Buffer, six: boolean, id: number): Buffer[] {
  if (six) return fragment6(packet, fragmentBytes, id);
  const numbered = Buffer.from(packet);
  numbered.writeUInt16BE(id & 0xffff, 4);
  return fragment4(numbered, fragmentBytes);
}
