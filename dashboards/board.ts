// What every board is: variables, links to the other boards and to the console, alerts as marks,
// and rows of panels under the questions that they answer. The SDK numbers no panels: here it is
// done.

import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  type Panel,
  QueryVariableBuilder,
  RowBuilder,
  TextBoxVariableBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import type { LabelOf, MetricName } from '../src/metrics/table.js';
import type { Made } from './style.js';

export interface Row {
  /** The question that its panels answer. */
  readonly title: string;
  readonly panels: readonly Made[];
}

export interface Layout {
  /** File name, and part of the board's address: mailweir-overview. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly rows: readonly Row[];
}

/** What all panels ask; the variable chooses which Prometheus that is. */
export const source = { type: 'prometheus', uid: '$source' } as const;
/** Where the console is, unless the board is told otherwise. */
export const consoleUrl = 'http://127.0.0.1:8225';

/** All alerts that fire, of the sensors that are chosen. */
export const firing =
  'ALERTS{alertname=~"Mailweir.*",alertstate="firing",site=~"$site",sensor=~"$sensor"}';

/** A board whose panels are numbered in order: the same bytes every time. */
export function boardOf({ uid, title, description, rows }: Layout): Dashboard {
  const builder = new DashboardBuilder(`Mailweir: ${title}`)
    .uid(uid)
    .description(description)
    .tags(['mailweir'])
    .timezone('browser')
    .time({ from: 'now-6h', to: 'now' })
    .refresh('1m')
    .readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .variables(variables())
    .links(links())
    .annotation(alertMarks());
  let id = 0;
  for (const row of rows) {
    id += 1;
    builder.withRow(new RowBuilder(row.title).id(id));
    for (const panel of row.panels) {
      id += 1;
      builder.withPanel(numbered(panel, id));
    }
  }
  return builder.build();
}

function numbered(made: Made, id: number): { build: () => Panel } {
  const isText = made.type === 'text';
  // A copy: placing it writes into it.
  const gridPos = { ...made.gridPos! };
  const panel: Panel = { ...made, gridPos, id, ...(!isText && { datasource: source }) };
  return { build: () => panel };
}

function variables() {
  const choice = <N extends MetricName>(name: string, label: string, of: N, at: LabelOf<N>) =>
    new QueryVariableBuilder(name)
      .label(label)
      .datasource(source)
      .query(`label_values(${of}, ${at})`)
      .refresh(VariableRefresh.OnTimeRangeChanged)
      .sort(VariableSort.NaturalAsc)
      .multi(true)
      .includeAll(true)
      .allValue('.*')
      .current({ selected: true, text: ['All'], value: ['$__all'] });
  return [
    new DatasourceVariableBuilder('source').label('Prometheus').type('prometheus'),
    choice('site', 'Site', 'mailweir_uptime_seconds', 'site'),
    choice('sensor', 'Sensor', 'mailweir_uptime_seconds', 'sensor'),
    choice('direction', 'Direction', 'mailweir_mail_transactions_total', 'direction'),
    new TextBoxVariableBuilder('console').label('Console').defaultValue(consoleUrl),
  ];
}

function links(): DashboardLinkBuilder[] {
  return [
    new DashboardLinkBuilder('Boards')
      .type(DashboardLinkType.Dashboards)
      .tags(['mailweir'])
      .includeVars(true)
      .keepTime(true),
    new DashboardLinkBuilder('Console')
      .type(DashboardLinkType.Link)
      .icon('external link')
      .tooltip('Findings, entries and their evidence')
      .url('$console/')
      .targetBlank(true),
  ];
}

function alertMarks(): AnnotationQueryBuilder {
  return new AnnotationQueryBuilder()
    .name('Alerts')
    .datasource(source)
    .enable(true)
    .iconColor('red')
    .expr(firing)
    .titleFormat('{{alertname}}')
    .textFormat('{{sensor}} {{severity}}')
    .target(new DataqueryBuilder().expr(firing).refId('Anno'));
}
