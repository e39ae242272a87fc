// What Grafana takes for a board, from the SDK's types alone: the schema that the boards are held
// to is generated from this file. Where the SDK says `any`, each kind of panel is named with its
// own options here.

import type { Options as BarGauge } from '@grafana/grafana-foundation-sdk/bargauge';
import type {
  AnnotationQuery,
  Dashboard,
  FieldConfig,
  FieldConfigSource,
  Panel,
  RowPanel,
} from '@grafana/grafana-foundation-sdk/dashboard';
import type { Dataquery } from '@grafana/grafana-foundation-sdk/prometheus';
import type { Options as Stat } from '@grafana/grafana-foundation-sdk/stat';
import type {
  FieldConfig as StateFields,
  Options as StateTimeline,
} from '@grafana/grafana-foundation-sdk/statetimeline';
import type { Options as Text } from '@grafana/grafana-foundation-sdk/text';
import type {
  FieldConfig as SeriesFields,
  Options as TimeSeries,
} from '@grafana/grafana-foundation-sdk/timeseries';

/** A question to Prometheus; the SDK's mark of a query is a method and in no file. */
type Query = Omit<Dataquery, '_implementsDataqueryVariant'> & { refId: string };

type Fields<Custom> = Omit<FieldConfigSource, 'defaults'> & {
  defaults: Omit<FieldConfig, 'custom'> & { custom?: Custom };
};

type Kind<Type extends string, Options, Custom = never> = Omit<
  Panel,
  'type' | 'options' | 'fieldConfig' | 'targets' | 'id' | 'title' | 'description'
> & {
  type: Type;
  id: number;
  title: string;
  description: string;
  options: Options;
  fieldConfig: Fields<Custom>;
};

type Asking<Type extends string, Options, Custom = never> = Kind<Type, Options, Custom> & {
  targets: Query[];
};

type Row = Omit<RowPanel, 'panels'> & { panels: [] };

type Mark = Omit<AnnotationQuery, 'target'> & { target: Query };

export type Board = Omit<Dashboard, 'panels' | 'annotations'> & {
  annotations: { list: Mark[] };
  panels: (
    | Row
    | Omit<Kind<'text', Text>, 'fieldConfig'>
    | Asking<'timeseries', TimeSeries, SeriesFields>
    | Asking<'stat', Stat>
    | Asking<'bargauge', BarGauge>
    | Asking<'state-timeline', StateTimeline, StateFields>
  )[];
};
