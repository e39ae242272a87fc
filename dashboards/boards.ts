// The board "Sensor and list" for Grafana: what comes in, what is lost, what is decided and listed.

import { type Dashboard, DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { type MetricName, metrics } from '../src/metrics/table.js';

/** Title, unit and metric of each panel; a counter is shown as its rate. */
export const panels: readonly (readonly [string, string, MetricName])[] = [
  ['Packets', 'pps', 'mailweir_capture_packets_total'],
  ['Kernel drops', 'pps', 'mailweir_capture_kernel_drops_total'],
  ['Mail transactions', 'ops', 'mailweir_smtp_transactions_total'],
  ['Both directions seen', 'percentunit', 'mailweir_detect_symmetry_ratio'],
  ['Payload missing', 'percentunit', 'mailweir_detect_loss_ratio'],
  ['Open findings', 'short', 'mailweir_detect_findings_open'],
  ['Decisions in force', 'short', 'mailweir_decide_open'],
  ['Entries by enforcement', 'short', 'mailweir_enforce_entries'],
  ['Entries of the list', 'short', 'mailweir_list_entries'],
  ['Requests', 'reqps', 'mailweir_http_requests_total'],
];

export function expressionOf(name: MetricName): string {
  return metrics[name].type === 'counter' ? `rate(${name}[5m])` : name;
}

/** The same every time. The SDK gives no `refId` and no panel `id`: they are set here. */
export function board(): Dashboard {
  const builder = new DashboardBuilder('Mailweir').uid('mailweir').tags(['mailweir']).refresh('1m');
  for (const [index, [title, unit, name]] of panels.entries()) {
    const query = new DataqueryBuilder().expr(expressionOf(name)).refId('A');
    const { help } = metrics[name];
    const panel = new PanelBuilder()
      .id(index + 1)
      .title(title)
      .description(help)
      .unit(unit);
    builder.withPanel(panel.withTarget(query).span(12).height(8));
  }
  return builder.build();
}
