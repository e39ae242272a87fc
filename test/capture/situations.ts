// Frames for the filters of live capture, by situation, and whether each is to pass. The filter is
// for ports 25, 465, 587 and 2525.

/** Ethernet with the given EtherTypes and tags, then the bytes of the packet. */
export function ethernet(types: number[], packet: Buffer): Buffer {
  const head = Buffer.alloc(12, 2);
  const tags = types.slice(0, -1).map((type) => Buffer.from([type >> 8, type & 255, 0, 7]));
  const last = types.at(-1)!;
  return Buffer.concat([head, ...tags, Buffer.from([last >> 8, last & 255]), packet]);
}

interface PacketForm {
  readonly protocol: number;
  readonly ports: readonly [number, number];
  readonly fragment?: number;
  readonly options?: number;
}

export function ip4(form: PacketForm): Buffer {
  const options = form.options ?? 0;
  const head = Buffer.alloc(20 + options * 4);
  head[0] = 0x45 + options;
  head.writeUInt16BE(head.length + 40, 2);
  head.writeUInt16BE(form.fragment ?? 0, 6);
  head[8] = 64;
  head[9] = form.protocol;
  return Buffer.concat([head, transport(form)]);
}

export function ip6(form: PacketForm): Buffer {
  const head = Buffer.alloc(40);
  head[0] = 0x60;
  head.writeUInt16BE(40, 4);
  head[6] = form.protocol;
  return Buffer.concat([head, transport(form)]);
}

function transport({ ports }: PacketForm): Buffer {
  const bytes = Buffer.alloc(40);
  bytes.writeUInt16BE(ports[0], 0);
  bytes.writeUInt16BE(ports[1], 2);
  bytes[12] = 0x50;
  return bytes;
}

export const mail: PacketForm = { protocol: 6, ports: [40_000, 25] };
export const reply: PacketForm = { protocol: 6, ports: [587, 40_000] };
export const web: PacketForm = { protocol: 6, ports: [443, 40_000] };
const dns: PacketForm = { protocol: 17, ports: [53, 25] };
const vxlan: PacketForm = { protocol: 17, ports: [53, 4789] };

/** Situation, frame, and whether it is to pass. */
export const situations: [string, Buffer, boolean][] = [];
for (const tags of [[], [0x8100], [0x88a8], [0x88a8, 0x8100], [0x9100, 0x8100]]) {
  const name = tags.map((tag) => tag.toString(16)).join(' ');
  const four = (form: PacketForm) => ethernet([...tags, 0x0800], ip4(form));
  const six = (form: PacketForm) => ethernet([...tags, 0x86dd], ip6(form));
  situations.push(
    [`[${name}] IPv4 to a mail server`, four(mail), true],
    [`[${name}] IPv4 from a mail server`, four(reply), true],
    [`[${name}] IPv4 with options`, four({ ...mail, options: 5 }), true],
    [`[${name}] IPv4 web`, four(web), false],
    [`[${name}] IPv4 web with options`, four({ ...web, options: 5 }), false],
    [`[${name}] IPv4 first fragment`, four({ ...web, fragment: 0x2000 }), true],
    [`[${name}] IPv4 later fragment`, four({ ...web, fragment: 0x00b9 }), true],
    [`[${name}] IPv4 that must not be fragmented`, four({ ...web, fragment: 0x4000 }), false],
    [`[${name}] IPv6 to a mail server`, six(mail), true],
    [`[${name}] IPv6 from a mail server`, six(reply), true],
    [`[${name}] IPv6 web`, six(web), false],
    [`[${name}] IPv6 fragment`, six({ ...web, protocol: 44 }), true],
    [`[${name}] UDP`, four(dns), false],
    [`[${name}] VXLAN`, six(vxlan), true],
    [`[${name}] GRE`, four({ ...web, protocol: 47 }), true],
    [`[${name}] IP in IP`, six({ ...web, protocol: 4 }), true],
    [`[${name}] MPLS`, ethernet([...tags, 0x8847], Buffer.alloc(60)), true],
    [`[${name}] PPPoE`, ethernet([...tags, 0x8864], Buffer.alloc(60)), true],
  );
}
situations.push(['three tags', ethernet([0x88a8, 0x8100, 0x8100, 0x0800], ip4(web)), true]);
