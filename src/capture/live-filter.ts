// The kernel filter of a live capture, as a libpcap expression. It names what is surely of no use
// and lets everything else pass, so that fragments, tunnels, MPLS, PPPoE and whatever else the
// decoder may see through still arrive. The `vlan` keyword is not used: it shifts the offsets of
// all that stands behind it, and means the kernel's stripped tag as well as one in the frame.

/** More ports than this give no filter: the kernel bounds the length of a program. */
const filterPortsMax = 32;

/** UDP ports that carry frames: VXLAN (RFC 7348, and Linux's older one) and Geneve (RFC 8926). */
const tunnelPorts = [4789, 8472, 6081] as const;

const tags = [0x8100, 0x88a8, 0x9100] as const;

/**
 * The expression for an Ethernet interface; empty (everything passes) without ports or with too
 * many. Refuses TCP of other ports and UDP that is no tunnel, with up to two tags in the frame.
 */
export function ethernetFilter(ports: readonly number[] | undefined): string {
  if (ports === undefined || ports.length === 0 || ports.length > filterPortsMax) return '';
  const refused = `${useless(12, ports)} or (${tagged(12)} and (${useless(16, ports)} or (${tagged(
    16,
  )} and ${useless(20, ports)})))`;
  return `not (${refused})`;
}

/** The expression for any other kind of interface: libpcap finds the IP header there itself. */
export function portableFilter(ports: readonly number[] | undefined): string {
  if (ports === undefined || ports.length === 0 || ports.length > filterPortsMax) return '';
  const mail = ports.map((port) => `tcp port ${port}`).join(' or ');
  const tcp4 = 'ip proto 6 and ip[6:2] & 0x3fff = 0';
  return `not (((${tcp4}) or (ip6 and ip6[6] = 6)) and not (${mail}))`;
}

/** True for an IP packet without use whose EtherType lies at `type`. */
function useless(type: number, ports: readonly number[]): string {
  const ip = type + 2;
  const ports4 = `${ip} + ((ether[${ip}] & 0xf) << 2)`;
  const ip4 = `ether[${type}:2] = 0x0800 and ether[${ip + 6}:2] & 0x3fff = 0`;
  const ip6 = `ether[${type}:2] = 0x86dd`;
  const rest4 = transport(ip + 9, ports4, ports);
  const rest6 = transport(ip + 6, `${ip + 40}`, ports);
  return `((${ip4} and ${rest4}) or (${ip6} and ${rest6}))`;
}

/** True for TCP without a mail port and UDP without a tunnel's; `from` is where the ports lie. */
function transport(protocol: number, from: string, ports: readonly number[]): string {
  const source = `ether[${from}:2]`;
  const destination = `ether[${from} + 2:2]`;
  const tcp = ports.map((port) => `${source} != ${port} and ${destination} != ${port}`);
  const udp = tunnelPorts.map((port) => `${destination} != ${port}`);
  const one = `ether[${protocol}] = 6 and ${tcp.join(' and ')}`;
  return `((${one}) or (ether[${protocol}] = 17 and ${udp.join(' and ')}))`;
}

function tagged(type: number): string {
  return `(${tags.map((tag) => `ether[${type}:2] = ${tag}`).join(' or ')})`;
}
