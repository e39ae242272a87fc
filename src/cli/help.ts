// What `--help` says below the options.

export const endings = `
Exit status:
  0  done
  1  it failed; one line on standard error says what, where, and what to do
  2  the command line was wrong
  3  done, and something was found (check, rules test, register lint, doctor)`;

export const replayHelp = `
The ports are 25, 465, 587 and 2525 unless --ports or the configuration says otherwise; any finds
SMTP by its dialogue on every port. Addresses are printed clear: the capture is yours.
The result is the same for every --workers.

Examples:
  mailweir replay capture.pcap
  mailweir replay monday.pcap.gz tuesday.pcap.gz --format eve --output events.ndjson
  tcpdump -r big.pcap -w - port 25 | mailweir replay - --ports any
${endings}`;

export const runHelp = `
A stats event is written every stats.interval_s seconds (60) and at the end. With --replay addresses
are printed clear. The log goes to standard error, one JSON object a line.

Examples:
  mailweir run --interface eth1 --format eve --output /var/log/mailweir/events.ndjson
  mailweir run --replay capture.pcap --loop --speed 10 --format eve
${endings}`;

export const registerHelp = `
registers.servers, registers.codes and registers.allow of the configuration name the files. An
import that would drop more than registers.drop_max_percent (10) of the entries is refused.

Examples:
  mailweir register import new.csv --config mailweir.yaml --dry-run
  mailweir register import codes.json --config mailweir.yaml --kind codes
  mailweir register show 203.0.113.25 --config mailweir.yaml --as-of 2024-02-29
  mailweir register list --config mailweir.yaml --versions
  mailweir register lint --config mailweir.yaml
${endings}`;

export const rulesHelp = `
Each test plays dialogues through the whole engine, in the network of rules/test. rules/README.md
says how to write one.

Examples:
  mailweir rules test
  mailweir rules test --rules changed core.rcpt-fanout
${endings}`;

export const backtestHelp = `
A capture that cannot be read to its end is compared as far as it goes; the exit status is 1 then.

Examples:
  cp -r rules changed; $EDITOR changed/10-recipients.yaml
  mailweir rules backtest --rules changed --config mailweir.yaml monday.pcap tuesday.pcap
${endings}`;

export const exabgpHelp = `
In exabgp.conf, version 4:
  process mailweir {
    run /usr/bin/mailweir exabgp --config /etc/mailweir/mailweir.yaml --state /run/exabgp/mailweir;
    encoder text;
  }
  neighbor 192.0.2.1 { ... api { processes [ mailweir ]; } family { ipv4 flow; ipv6 flow; } }
Routers must take FlowSpec rules without a destination, so their validation is off for this peer.
The token of the API is taken from the environment: MAILWEIR_TOKEN.
${endings}`;

export const doctorHelp = `
Run it with the daemon's configuration, as the daemon's user. While it listens it takes everything,
not only mail, so on a busy port a loss that it tells may not be the daemon's.

Examples:
  mailweir doctor
  mailweir doctor --interface eth1 --seconds 30 --config mailweir.yaml
${endings}`;

export const blockHelp = `
The API is at serve.http of --config, or at MAILWEIR_URL; the token is in MAILWEIR_TOKEN.

Examples:
  mailweir block list --action block --config mailweir.yaml
  mailweir block explain 203.0.113.9 --config mailweir.yaml
  mailweir block add 203.0.113.9 --reason "spam run, ticket 4711" --for 86400
  mailweir block add 203.0.113.16/28 --action allow --owner noc --reason "our monitoring"
  mailweir block release 203.0.113.9 --reason "cleaned, customer called"
  mailweir block token edge-1 --scopes read --config mailweir.yaml
${endings}`;
