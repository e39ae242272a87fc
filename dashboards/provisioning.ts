// What Grafana and Prometheus mount, as files: boards, where they are found, where their data come
// from, what Prometheus scrapes and its rules. The same bytes every time.

import { boards } from './boards.js';
import { job, ruleFile } from './rules.js';

/** Where things are, as people name them at the build. */
export interface Places {
  /** Of Prometheus, as Grafana reaches it. */
  readonly prometheus: string;
  /** Of sensors' HTTP servers, as Prometheus reaches them. */
  readonly sensors: readonly string[];
}

export const usualPlaces: Places = {
  prometheus: 'http://127.0.0.1:9090',
  sensors: ['127.0.0.1:8225'],
};

/** Folder in which Grafana looks for provisioning files and ours for the boards. */
const mounted = '/etc/grafana';

/** Every file by its path. JSON is YAML, and needs no quoting rules of our own. */
export function files({ prometheus, sensors }: Places): ReadonlyMap<string, string> {
  const text = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  const source = {
    name: 'Mailweir',
    uid: 'mailweir',
    type: 'prometheus',
    access: 'proxy',
    url: prometheus,
    jsonData: { httpMethod: 'POST', timeInterval: '15s' },
  };
  const provider = {
    name: 'Mailweir',
    folder: 'Mailweir',
    folderUid: 'mailweir',
    type: 'file',
    disableDeletion: true,
    allowUiUpdates: false,
    options: { path: `${mounted}/boards` },
  };
  const scraping = {
    global: { scrape_interval: '15s', evaluation_interval: '15s' },
    rule_files: ['rules.yml'],
    scrape_configs: [{ job_name: job, static_configs: [{ targets: sensors }] }],
  };
  return new Map([
    ['prometheus/prometheus.yml', text(scraping)],
    ['prometheus/rules.yml', ruleFile()],
    [
      'grafana/provisioning/datasources/mailweir.yaml',
      text({ apiVersion: 1, datasources: [source] }),
    ],
    [
      'grafana/provisioning/dashboards/mailweir.yaml',
      text({ apiVersion: 1, providers: [provider] }),
    ],
    ...boards.map((board): [string, string] => [`grafana/boards/${board.uid}.json`, text(board)]),
  ]);
}
