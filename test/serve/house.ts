// A mail provider's house for tests: a network namespace with nothing but loopback, where unbound
// is the resolver on port 53, our DNSBL stands behind it, and Postfix receives mail. Everything in
// it is a real program with folders of its own; all of them end with `close`.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until, zone } from './desk.js';

export const ports = { dnsbl: 8253, policy: 8226, postscreen: 2500, smtpd: 2501 } as const;

export class House {
  readonly folder = mkdtempSync(join(tmpdir(), 'mailweir-house-'));
  readonly #children: ChildProcess[] = [];
  #keeper: ChildProcess | null = null;

  /** Makes the namespace: loopback is up, and the resolver is whoever listens on 127.0.0.1:53. */
  async open(): Promise<void> {
    // Postfix's own users look into the folder.
    chmodSync(this.folder, 0o755);
    const resolv = join(this.folder, 'resolv.conf');
    writeFileSync(resolv, 'nameserver 127.0.0.1\noptions timeout:2 attempts:1\n');
    const words = [`mount --bind ${resolv} /etc/resolv.conf`, 'ip link set lo up', 'echo ready'];
    words.push('exec sleep 600');
    const keeper = spawn('unshare', ['--net', '--mount', 'sh', '-c', words.join(' && ')]);
    this.#keeper = keeper;
    let said = '';
    keeper.stdout.on('data', (text) => {
      said += String(text);
    });
    keeper.stderr.on('data', (text) => {
      said += String(text);
    });
    await until(() => said.includes('ready') || keeper.exitCode !== null);
    if (!said.includes('ready')) throw new Error(`no namespace: ${said}`);
  }

  /** Starts a program in the house that goes on; what it says goes into `NAME.log`. */
  start(name: string, command: readonly string[]): ChildProcess {
    const log = join(this.folder, `${name}.log`);
    const child = spawn(
      'nsenter',
      this.#enter(['sh', '-c', `exec "$@" >>"${log}" 2>&1`, name, ...command]),
    );
    this.#children.push(child);
    return child;
  }

  /** Runs a program in the house to its end; gives what it said. */
  run(command: readonly string[], input = ''): string {
    const { stdout, stderr } = spawnSync('nsenter', this.#enter(command), {
      input,
      encoding: 'utf8',
      timeout: 60_000,
    });
    return stdout + stderr;
  }

  log(name: string): string {
    const path = join(this.folder, `${name}.log`);
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  #enter(command: readonly string[]): string[] {
    return [`--target=${this.#keeper!.pid}`, '--net', '--mount', '--', ...command];
  }

  /** unbound on port 53, which asks our DNSBL about the zone and nobody about anything else. */
  async startUnbound(): Promise<void> {
    const path = join(this.folder, 'unbound.conf');
    writeFileSync(
      path,
      `server:
  directory: "${this.folder}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  interface: 127.0.0.1@53
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: no
  use-caps-for-id: yes
  qname-minimisation: yes
  module-config: "iterator"
  do-ip6: no
  local-zone: "." refuse
  local-zone: "${zone}" transparent
stub-zone:
  name: "${zone}"
  stub-addr: 127.0.0.1@${ports.dnsbl}
`,
    );
    const child = this.start('unbound', ['unbound', '-d', '-p', '-c', path]);
    await until(() => {
      if (child.exitCode !== null) throw new Error(this.log('unbound'));
      return this.dig(['@127.0.0.1', zone, 'SOA', '+short']).includes('hostmaster');
    });
  }

  dig(words: readonly string[]): string {
    return this.run(['dig', '+tries=1', '+time=2', ...words]);
  }

  /** Postfix with postscreen on one port, and smtpd with the policy server on another. */
  async startPostfix(): Promise<void> {
    const folder = join(this.folder, 'postfix');
    for (const part of ['etc', 'spool', 'data']) mkdirSync(join(folder, part), { recursive: true });
    spawnSync('chown', ['postfix', join(folder, 'data')]);
    writeFileSync(join(folder, 'etc', 'main.cf'), mainCf(folder));
    writeFileSync(join(folder, 'etc', 'master.cf'), masterCf);
    this.run(['postfix', '-c', join(folder, 'etc'), 'check']);
    // It stays in front, so that it can be ended by its own number.
    const etc = join(folder, 'etc');
    const child = this.start('postfix', ['/usr/lib/postfix/sbin/master', '-c', etc, '-d', '-s']);
    await until(() => {
      if (child.exitCode !== null) throw new Error(this.log('postfix'));
      return this.smtp(ports.smtpd, '127.0.0.200', 1).includes('220 ');
    });
  }

  /** A mail of so many recipients from a client address, as far as its recipients. */
  smtp(port: number, from: string, recipients: number): string {
    const to = Array.from({ length: recipients }, (_, at) => `r${at}@example.net`).join(',');
    const where = ['--server', '127.0.0.1', '--port', String(port), '--local-interface', from];
    const mail = ['--helo', 'client.example.org', '--from', 'a@example.org', '--to', to];
    return this.run(['swaks', ...where, ...mail, '--quit-after', 'RCPT', '--timeout', '20']);
  }

  async close(): Promise<void> {
    for (const child of [...this.#children.reverse(), this.#keeper]) {
      if (child === null || child.exitCode !== null || child.signalCode !== null) continue;
      const gone = new Promise((resume) => child.once('exit', resume));
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 5000);
      await gone;
      clearTimeout(late);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function mainCf(folder: string): string {
  return `compatibility_level = 3.6
queue_directory = ${folder}/spool
data_directory = ${folder}/data
maillog_file = ${folder}/mail.log
maillog_file_prefixes = ${folder}
myhostname = mx.example.net
mydestination =
mynetworks =
relay_domains = example.net
relay_transport = discard:
inet_protocols = ipv4
smtpd_peername_lookup = no
postscreen_cache_map =
postscreen_access_list =
postscreen_greet_action = ignore
postscreen_greet_wait = 1s
postscreen_dnsbl_sites = ${zone}=127.0.0.[2..10]
postscreen_dnsbl_threshold = 1
postscreen_dnsbl_action = enforce
smtpd_recipient_restrictions = reject_unauth_destination
limited_restrictions =
  check_policy_service { inet:127.0.0.1:${ports.policy}, timeout=10s, default_action=DUNNO }
  reject_unauth_destination
`;
}

const masterCf = `127.0.0.1:${ports.postscreen} inet n - n - 1 postscreen
smtpd pass - - n - - smtpd
dnsblog unix - - n - 0 dnsblog
127.0.0.1:${ports.smtpd} inet n - n - - smtpd
  -o { smtpd_recipient_restrictions = $limited_restrictions }
cleanup unix n - n - 0 cleanup
rewrite unix - - n - - trivial-rewrite
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
qmgr unix n - n 300 1 qmgr
discard unix - - n - - discard
bounce unix - - n - 0 bounce
`;
