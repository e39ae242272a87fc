// The look of the house: a function for each kind of panel, colours by what they mean, and a size
// for each kind. A panel says what it asks, in which unit, and in words what it tells.

import { PanelBuilder as BarGauge } from '@grafana/grafana-foundation-sdk/bargauge';
import {
  BarGaugeDisplayMode,
  BigValueColorMode,
  BigValueGraphMode,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizOrientation,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  DashboardLinkBuilder,
  FieldColorBuilder,
  FieldColorModeId,
  type Panel,
  ThresholdsConfigBuilder,
  ThresholdsMode,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as Stat } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as StateTimeline } from '@grafana/grafana-foundation-sdk/statetimeline';
import { PanelBuilder as Text, TextMode } from '@grafana/grafana-foundation-sdk/text';
import { PanelBuilder as TimeSeries } from '@grafana/grafana-foundation-sdk/timeseries';

/** Units as Grafana names them. */
export type Unit =
  | 'short'
  | 'percentunit'
  | 'pps'
  | 'binBps'
  | 'ops'
  | 'reqps'
  | 'mps'
  | 's'
  | 'd'
  | 'bytes'
  | 'dateTimeFromNow';

const green = '#56a64b';
const orange = '#ff9830';
const red = '#e02f44';
const yellow = '#f2cc0c';
const blue = '#3274d9';
const purple = '#a352cc';
const grey = '#8e8e8e';

/** The same thing has the same colour on every board: values of labels, and names of lines. */
const colours = {
  outcome: {
    accepted: green,
    deferred: yellow,
    rejected: red,
    aborted: purple,
    unknown: grey,
  },
  direction: { out: blue, in: '#5794f2', inside: '#8ab8ff', through: grey },
  reply: {
    ok: green,
    deferred: yellow,
    'unknown-user': red,
    'policy-refused': orange,
    'relay-denied': purple,
    none: grey,
  },
  tls: { none: grey, starttls: green, 'from-start': blue },
  answer: { blocked: red, rejected: red, limited: orange, deferred: orange, passed: green },
  action: { limit: orange, block: red, allow: green },
  state: {
    enforced: green,
    leaking: red,
    unseen: grey,
    quiet: '#73bf69',
    unknown: grey,
    added: blue,
    extended: '#8ab8ff',
    expired: grey,
    released: green,
  },
  severity: { critical: red, high: '#fa6400', medium: orange, low: yellow },
  status: { '2xx': green, '3xx': blue, '4xx': orange, '5xx': red },
  '': { lost: purple, dropped: purple, blocked: red, limited: orange, wrong: red, failed: red },
} as const satisfies Record<string, Record<string, string>>;

/** An expression and the name of what it gives, with labels as `{{label}}`. */
export type Query = readonly [legend: string, expr: string];

export interface Ask {
  readonly title: string;
  /** What it tells, and what a bad value means: a sentence or two. */
  readonly description: string;
  readonly unit: Unit;
  readonly queries: readonly Query[];
  /** Columns of 24, where it is not what the kind has. */
  readonly width?: number;
  /** From here on it is orange, and red. Falling ones are bad when small. */
  readonly warn?: number;
  readonly bad?: number;
  readonly falling?: boolean;
  /** A page of the console that has more, such as /#/list. */
  readonly console?: string;
}

/** A panel that is not placed yet. */
export type Made = Panel;

/** Names of targets: A, B, C. The SDK gives none. */
const refOf = (index: number): string => String.fromCharCode(65 + index);

function queriesOf({ queries }: Ask, isInstant = false): DataqueryBuilder[] {
  return queries.map(([legend, expr], index) => {
    const query = new DataqueryBuilder().expr(expr).legendFormat(legend).refId(refOf(index));
    return isInstant ? query.instant() : query.range();
  });
}

/** Steps of colour: green, then orange, then red, or the other way round. */
function steps({ warn, bad, falling = false }: Ask): ThresholdsConfigBuilder {
  const at = (value: number | null | undefined, color: string) =>
    value === undefined ? [] : [{ value, color }];
  const rising = [...at(null, green), ...at(warn, orange), ...at(bad, red)];
  const first = bad === undefined ? orange : red;
  const middle = bad === undefined ? [] : at(bad, orange);
  const list = falling ? [...at(null, first), ...middle, ...at(warn, green)] : rising;
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(list);
}

const isJudged = ({ warn, bad }: Ask): boolean => warn !== undefined || bad !== undefined;

function linksOf(ask: Ask): DashboardLinkBuilder[] {
  if (ask.console === undefined) return [];
  const link = new DashboardLinkBuilder('In the console').url(`$console${ask.console}`);
  return [link.targetBlank(true)];
}

const last = (): ReduceDataOptionsBuilder => new ReduceDataOptionsBuilder().calcs(['lastNotNull']);

/** What every kind has. */
interface Common<B> {
  title(title: string): B;
  description(text: string): B;
  unit(unit: string): B;
  span(width: number): B;
  height(height: number): B;
  links(links: DashboardLinkBuilder[]): B;
  thresholds(thresholds: ThresholdsConfigBuilder): B;
}

function dress<B extends Common<B>>(builder: B, ask: Ask, [width, height]: [number, number]): B {
  return builder
    .title(ask.title)
    .description(ask.description)
    .unit(ask.unit)
    .span(ask.width ?? width)
    .height(height)
    .links(linksOf(ask))
    .thresholds(steps(ask));
}

/** Lines over time; stacked where parts of a whole are shown. */
export function graph(ask: Ask, { stacked = false } = {}): Made {
  const panel = dress(new TimeSeries(), ask, [12, 8])
    .targets(queriesOf(ask))
    .min(0)
    .lineWidth(1)
    .fillOpacity(stacked ? 40 : 10)
    .showPoints(VisibilityMode.Never)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassicByName))
    .stacking(
      new StackingConfigBuilder()
        .mode(stacked ? StackingMode.Normal : StackingMode.None)
        .group('A'),
    )
    .thresholdsStyle(
      new GraphThresholdsStyleConfigBuilder().mode(
        isJudged(ask) ? GraphThresholdsStyleMode.Dashed : GraphThresholdsStyleMode.Off,
      ),
    )
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs([]),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi));
  for (const [name, fixedColor] of coloured(ask)) {
    panel.overrideByName(name, [{ id: 'color', value: { mode: 'fixed', fixedColor } }]);
  }
  return panel.build();
}

/** Names that lines of a panel can have, with their colours. */
function coloured({ queries }: Ask): [string, string][] {
  const legends = queries.map(([legend]) => legend);
  return Object.entries(colours).flatMap(([label, values]) =>
    Object.entries(values).filter(([name]) =>
      legends.includes(label === '' ? name : `{{${label}}}`),
    ),
  );
}

/** One number, and how it went. */
export function figure(ask: Ask): Made {
  return dress(new Stat(), ask, [4, 4])
    .targets(queriesOf(ask))
    .reduceOptions(last())
    .graphMode(BigValueGraphMode.Area)
    .colorMode(isJudged(ask) ? BigValueColorMode.Background : BigValueColorMode.Value)
    .noValue('none')
    .build();
}

/** Values side by side, as they are now. */
export function bars(ask: Ask): Made {
  return dress(new BarGauge(), ask, [12, 8])
    .targets(queriesOf(ask, true))
    .min(0)
    .reduceOptions(last())
    .displayMode(BarGaugeDisplayMode.Basic)
    .orientation(VizOrientation.Horizontal)
    .noValue('none')
    .build();
}

/** When something held: a line for each, filled while it did. */
export function times(ask: Ask): Made {
  return dress(new StateTimeline(), ask, [24, 6])
    .targets(queriesOf(ask))
    .showValue(VisibilityMode.Never)
    .mergeValues(true)
    .fillOpacity(80)
    .noValue('none')
    .build();
}

/** Words, in Markdown. */
export function words(title: string, description: string, content: string, width = 24): Made {
  const panel = new Text().title(title).description(description).span(width).height(4);
  return panel.mode(TextMode.Markdown).content(content).build();
}
