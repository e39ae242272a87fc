// A real Prometheus scrapes the running demonstration, mounted as provisioning says: every panel
// and every rule is asked there and has data, but for those that are named here with the reason.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { boards } from '../../dashboards/boards.js';
import { files } from '../../dashboards/provisioning.js';
import { alerts, recordings } from '../../dashboards/rules.js';
import { Demonstration } from './demonstration.js';

const hasPrometheus = spawnSync('prometheus', ['--version']).status === 0;

/** Panels that may have nothing to show there, with the reason. At most five. */
const silent: Readonly<Record<string, string>> = {
  Alerts: 'nothing has to be wrong with the demonstration',
  'Rules in this kernel': 'a replay is not enforced',
  'From publishing to enforced': 'the packets of a file go on, whoever is on the list',
  'Packets left out': 'the demonstration holds TCP alone',
};

interface Target {
  readonly panel: string;
  readonly board: string;
  readonly expr: string;
}

const targets: readonly Target[] = boards.flatMap(({ uid, panels = [] }) =>
  panels.flatMap((panel) => {
    const { title = '', targets: queries = [] } = panel as {
      title?: string;
      targets?: unknown[];
    };
    return (queries as { expr: string }[]).map(({ expr }) => ({ board: uid!, panel: title, expr }));
  }),
);

/** As Grafana asks when everything is chosen. */
function filled(expr: string): string {
  return expr
    .replaceAll('"$site"', '".*"')
    .replaceAll('"$sensor"', '".*"')
    .replaceAll('"$direction"', '".*"')
    .replaceAll('$__rate_interval', '20s');
}

describe.skipIf(!hasPrometheus)('a Prometheus that scrapes the demonstration', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mailweir-prometheus-'));
  let demonstration: Demonstration;
  let prometheus: ChildProcess;
  let log = '';
  let address = '';

  /** The values of an expression at this moment. */
  async function ask(expr: string): Promise<{ metric: object; value: [number, string] }[]> {
    const body = new URLSearchParams({ query: filled(expr) });
    const answer = await fetch(`${address}/api/v1/query`, { method: 'POST', body });
    const { status, error, data } = (await answer.json()) as {
      status: string;
      error?: string;
      data: { result: { metric: object; value: [number, string] }[] };
    };
    if (status !== 'success') throw new Error(`${expr}: ${error}`);
    return data.result;
  }

  beforeAll(async () => {
    demonstration = await Demonstration.start(folder, 120);
    const mounted = files({ prometheus: '', sensors: [new URL(demonstration.url).host] });
    const config = JSON.parse(mounted.get('prometheus/prometheus.yml')!);
    config.global = { scrape_interval: '1s', evaluation_interval: '1s' };
    writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify(config));
    writeFileSync(join(folder, 'rules.yml'), mounted.get('prometheus/rules.yml')!);
    prometheus = spawn('prometheus', [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      '--web.listen-address=127.0.0.1:0',
    ]);
    prometheus.stderr!.setEncoding('utf8').on('data', (text: string) => {
      log += text;
      const at = /Listening on" address=(127\.0\.0\.1:\d+)/.exec(log);
      if (at !== null) address = `http://${at[1]}`;
    });
    await demonstration.daemon.until(() => address !== '');
  }, 120_000);

  afterAll(async () => {
    const gone = new Promise((resume) => prometheus?.once('close', resume));
    if (prometheus?.kill()) await gone;
    await demonstration?.end();
    rmSync(folder, { recursive: true, force: true });
  });

  it('every panel has data', async () => {
    let without = targets;
    const last = performance.now() + 120_000;
    while (without.length > 0 && performance.now() < last) {
      await new Promise((resume) => setTimeout(resume, 2000));
      const found = await Promise.all(without.map(({ expr }) => ask(expr)));
      without = without.filter((_, index) => found[index]!.length === 0);
      if (without.every(({ panel }) => panel in silent)) break;
    }
    const left = without.filter(({ panel }) => !(panel in silent));
    expect(left, log.slice(-2000)).toEqual([]);
    expect(demonstration.troubles).toEqual([]);
    expect(Object.keys(silent).length).toBeLessThanOrEqual(5);
  }, 180_000);

  it('every rule is evaluated, and what it names has data', async () => {
    const answer = await fetch(`${address}/api/v1/rules`);
    const { data } = (await answer.json()) as {
      data: { groups: { rules: { name: string; health: string; lastError?: string }[] }[] };
    };
    const rules = data.groups.flatMap((group) => group.rules);
    const names = [...recordings.map(({ record }) => record), ...alerts.map(({ alert }) => alert)];
    expect(rules.map(({ name }) => name).sort()).toEqual(names.sort());
    for (const { name, health, lastError } of rules) {
      expect(health, `${name}: ${lastError}`).toBe('ok');
    }
    for (const { record } of recordings) {
      await expect.poll(() => ask(record), { timeout: 60_000, interval: 1000 }).not.toEqual([]);
    }
    for (const { alert, expr } of alerts) {
      for (const [selector] of expr.matchAll(/(?:mailweir[:_][\w:]+|up)(\{\w+=[^}]*\})?/g)) {
        expect(await ask(selector), `${alert}: ${selector}`).not.toEqual([]);
      }
    }
  }, 120_000);
});
