// Every setting with its unit, its default and the reason for it. Parsed once, frozen, handed to
// constructors. The keys are those of the YAML file, so that a message names what a person wrote.
// Reading a file is in `config-file.ts`, which is loaded only when there is one to read.

/** The AF_PACKET ring of one interface in one worker. */
export interface RingConfig {
  /** Its size; what comes while it is full is lost, and counted. */
  readonly bytes: number;
  /** One block of it, a power of two: the kernel hands the ring over block by block. */
  readonly block_bytes: number;
  /** A block that is not full is handed over after this time. */
  readonly retire_ms: number;
}

/** Where frames come from and what is looked at. */
export interface CaptureConfig {
  /** Interfaces to listen on; two for an optical tap with one fibre per direction. */
  readonly interface: readonly string[];
  /** auto takes the best that this machine has; ring is AF_PACKET, pcap is libpcap. */
  readonly source: 'auto' | 'ring' | 'pcap';
  readonly ring: RingConfig;
  /** Whether the interface takes frames that are meant for others; a mirror port has no others. */
  readonly promiscuous: boolean;
  /** Whom a daemon that root started becomes once its ring is open; its capabilities go anyway. */
  readonly user?: string | undefined;
  /** TCP ports that carry mail; 'any' (command line only) finds SMTP by its dialogue. */
  readonly ports: readonly number[] | 'any';
  /** Packet threads; auto lets the program choose. */
  readonly workers: number | 'auto';
  /** On which side of the provider's mail routers the tap sits. */
  readonly tap_side: 'customer' | 'upstream' | 'unknown';
  /** Open GRE, ERSPAN, VXLAN, Geneve and IP-in-IP; a mirror often arrives in one of them. */
  readonly tunnels: boolean;
}

/** What happens to bytes and segments before they are judged. */
export interface DecodeConfig {
  /** count: offload makes checksums wrong on most mirrors. strict drops what is wrong. */
  readonly checksums: 'count' | 'strict';
}

/** Limits of the flow table and when a silent connection is given up. */
export interface FlowConfig {
  /** Ceiling for flows, sessions and waiting segments together, in bytes. */
  readonly memory_bytes: number;
  /** Two VLANs with the same addresses are two networks; off, because a mirror of a routed port
   * shows each packet once per VLAN. */
  readonly key_vlan: boolean;
  /** After a SYN that nobody answered; twice the usual time of a client's own retries. */
  readonly timeout_half_open_s: number;
  /** RFC 5321 section 4.5.3.2.6 lets a client wait ten minutes for the final reply; one more. */
  readonly timeout_established_s: number;
  /** After FIN or RST, for late copies of the last segments. */
  readonly timeout_closed_s: number;
}

export interface SmtpConfig {
  /** Recipients kept per transaction; more are counted. RFC 5321 4.5.3.1.8 asks for 100. */
  readonly rcpt_max: number;
}

export interface StatsConfig {
  /** Time between two `stats` events of the daemon. */
  readonly interval_s: number;
}

/** One entry of the address plan; the longest prefix wins. */
export interface PoolConfig {
  readonly cidr: string;
  readonly role: 'customer-dynamic' | 'customer-static' | 'infrastructure';
  /** Customers behind one address, where addresses are shared. */
  readonly cgnat?: number | undefined;
  /** Length of an IPv6 prefix that is one customer; 64 without it. */
  readonly customer_bits?: number | undefined;
}

export interface NetworkConfig {
  /** The provider's own prefixes. */
  readonly own: readonly string[];
  /** The same as a file, one prefix a line. */
  readonly own_file?: string | undefined;
  readonly pools: readonly PoolConfig[];
}

/** Regulations as dated profiles (`register/profile.ts`). */
export const profileNames = ['cn-2006', 'vn-2008', 'vn-2020'] as const;

/** Files beside the configuration; absolute once loaded. */
export interface RegistersConfig {
  readonly servers?: string | undefined;
  readonly codes?: string | undefined;
  readonly allow?: string | undefined;
  /** An import that would drop more than this share of the entries is refused, in percent. */
  readonly drop_max_percent: number;
}

export interface RulesConfig {
  /** Folder of rule files; without it the shipped rules apply. */
  readonly directory?: string | undefined;
  /** observe, because a sensor that was just installed must not cut anybody off. */
  readonly mode: 'observe' | 'limit' | 'enforce';
  /** Days in which a rule that is new here only observes, whatever the mode; not in a replay. */
  readonly observe_days: number;
}

/** Who hears an appeal against an entry; told in every entry. */
export interface AppealConfig {
  readonly url?: string | undefined;
  readonly contact?: string | undefined;
}

/** Where alerts and decisions go as they happen; the daemon only, never a replay. */
export interface NotifyConfig {
  /** Alerts of this severity and above; decisions always. */
  readonly severity: 'info' | 'low' | 'medium' | 'high' | 'critical';
  readonly syslog?:
    | {
        /** udp://HOST:PORT, tcp://HOST:PORT, or unix:PATH of a stream socket. */
        readonly to: string;
        readonly facility: string;
      }
    | undefined;
  readonly webhook?:
    | {
        readonly url: string;
        /** File whose text, without white space around it, is the key of the signature. */
        readonly secret_file: string;
      }
    | undefined;
}

/** What has to outlive a restart: when each rule was first seen here. */
export interface StateConfig {
  readonly directory: string;
}

/** The block list of this box; kept while somebody is served from it or it is enforced here. */
export interface BlockConfig {
  /** Folder of its store. */
  readonly directory: string;
  /** 64 bytes of memory each, and about 2 KB of disk with the evidence. */
  readonly entries_max: number;
  /** How long what was fetched may be used: a dead daemon's list dies with it, open. */
  readonly life_s: number;
}

/** Limits and blocks in this box's own kernel, where the box forwards the mail. */
export interface NftablesConfig {
  /** Ports on which entries are enforced, if they speak of them. */
  readonly ports: readonly number[];
  /** The rules work so long after the last word of the daemon; it gives four in that time. */
  readonly life_s: number;
  /** More entries than this are counted and left out. */
  readonly entries_max: number;
}

/** Off by default: a sensor on a mirror port forwards nothing. */
export interface EnforceConfig {
  readonly nftables?: NftablesConfig | undefined;
}

export interface RecordConfig {
  readonly mode: 'off' | 'pseudonymous' | 'sealed';
  readonly directory: string;
  /** Days a record is kept. */
  readonly days: number;
}

/** Listeners as host:port; none by default, because an empty file opens no door. */
export interface ServeConfig {
  readonly http?: string | undefined;
  /** File of tokens, made by `block token`; without it only this machine is served. */
  readonly tokens?: string | undefined;
  /** Certificate and key as PEM files; with `client_ca` clients must show certificates of it. */
  readonly tls?:
    | {
        readonly cert: string;
        readonly key: string;
        readonly client_ca?: string | undefined;
      }
    | undefined;
  /** Requests a minute of one consumer by HTTP; those from this machine are not counted. */
  readonly rate_per_minute: number;
  readonly dnsbl?: string | undefined;
  /** Name of the zone that the DNSBL answers for. */
  readonly zone?: string | undefined;
  readonly policy?: string | undefined;
}

/** What the DNSBL at `serve.dnsbl` says about itself, and to whom it says much. */
export interface DnsblConfig {
  /** Names of NS records; localhost, as long as no zone above delegates to it. */
  readonly name_servers: readonly string[];
  /** Answers a second by UDP to one prefix (IPv4 /24, IPv6 /56); above it asks to come by TCP. */
  readonly rate_per_s: number;
  /** Own resolvers, which are not limited. */
  readonly trusted: readonly string[];
}

/** Limits that name no rate, as the policy server at `serve.policy` applies them. */
export interface PolicyConfig {
  /** Recipients an hour, and at once. */
  readonly rate_per_hour: number;
  readonly burst: number;
}

/** The whole configuration, frozen to its leaves. */
export interface Config {
  /** Name of this sensor in every event. */
  readonly sensor?: string | undefined;
  /** Where it stands: a label of its metrics, by which boards choose. */
  readonly site?: string | undefined;
  /** Regulations that apply; a bare date in a register begins in the zone of the first. */
  readonly profiles: readonly (typeof profileNames)[number][];
  readonly capture: CaptureConfig;
  readonly decode: DecodeConfig;
  readonly flow: FlowConfig;
  readonly smtp: SmtpConfig;
  readonly stats: StatsConfig;
  readonly network: NetworkConfig;
  readonly registers: RegistersConfig;
  readonly rules: RulesConfig;
  readonly appeal: AppealConfig;
  readonly notify: NotifyConfig;
  readonly state: StateConfig;
  readonly block: BlockConfig;
  readonly enforce: EnforceConfig;
  readonly record: RecordConfig;
  readonly serve: ServeConfig;
  readonly dnsbl: DnsblConfig;
  readonly policy: PolicyConfig;
}

/** Ports that carry mail: SMTP, SMTP over TLS, submission, and the usual second submission port. */
export const mailPorts: readonly number[] = [25, 465, 587, 2525];

const defaults: Config = freeze({
  sensor: undefined,
  site: undefined,
  profiles: profileNames,
  capture: {
    interface: [],
    source: 'auto',
    ring: { bytes: 64 * 1024 ** 2, block_bytes: 512 * 1024, retire_ms: 40 },
    promiscuous: true,
    ports: mailPorts,
    workers: 'auto',
    tap_side: 'unknown',
    tunnels: true,
  },
  decode: { checksums: 'count' },
  flow: {
    memory_bytes: 1024 ** 3,
    key_vlan: false,
    timeout_half_open_s: 30,
    timeout_established_s: 660,
    timeout_closed_s: 10,
  },
  smtp: { rcpt_max: 1000 },
  stats: { interval_s: 60 },
  network: { own: [], pools: [] },
  registers: { drop_max_percent: 10 },
  rules: { mode: 'observe', observe_days: 7 },
  appeal: {},
  notify: { severity: 'low' },
  state: { directory: '/var/lib/mailweir/state' },
  block: { directory: '/var/lib/mailweir/list', entries_max: 1_000_000, life_s: 7200 },
  enforce: {},
  record: { mode: 'off', directory: '/var/lib/mailweir/record', days: 60 },
  serve: { rate_per_minute: 600 },
  dnsbl: { name_servers: ['localhost'], rate_per_s: 200, trusted: ['127.0.0.0/8', '::1/128'] },
  policy: { rate_per_hour: 25, burst: 10 },
});

/** What an empty file means. */
export function defaultConfig(): Config {
  return defaults;
}

/** A copy with other capture settings, as the command line gives them. */
export function withCapture(config: Config, capture: Partial<CaptureConfig>): Config {
  return freeze({ ...config, capture: { ...config.capture, ...capture } });
}

/**
 * Reads one YAML file. Rejects with a `ConfigError` whose message is one line per mistake, each
 * `file:line:column path: what is wrong`.
 */
export async function loadConfig(path: string): Promise<Config> {
  const file = await import('./config-file.js');
  return freeze(file.readConfig(path, defaults));
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) freeze(inner);
  }
  return value;
}
