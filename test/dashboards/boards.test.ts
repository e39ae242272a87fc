// The boards as Grafana gets them: they are what the SDK's types allow, what the SDK leaves out is
// there, and they are the same every time.

import { Ajv } from 'ajv';
import { createGenerator } from 'ts-json-schema-generator';
import { describe, expect, it } from 'vitest';
import { files, usualPlaces } from '../../dashboards/provisioning.js';
import { chosen } from '../../dashboards/select.js';
import { metrics, processMetrics } from '../../src/metrics/table.js';

interface Panel {
  id: number;
  type: string;
  title: string;
  description?: string;
  datasource?: object;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { refId: string; expr: string; legendFormat: string }[];
  fieldConfig?: { defaults: { unit?: string } };
}

interface Board {
  uid: string;
  panels: Panel[];
  links: { title: string; url?: string; type: string }[];
  templating: { list: { name: string }[] };
}

const written = files(usualPlaces);
const boards = [...written]
  .filter(([path]) => path.startsWith('grafana/boards/'))
  .map(([, text]) => JSON.parse(text) as Board);
const known = new Set(['ALERTS', ...Object.keys(metrics), ...processMetrics]);
const uids = ['overview', 'mail-flow', 'detection', 'sensor', 'compliance'];

it('five boards, and the files that Grafana and Prometheus mount, the same every time', () => {
  expect(boards.map(({ uid }) => uid)).toEqual(uids.map((name) => `mailweir-${name}`));
  expect([...files(usualPlaces)]).toEqual([...written]);
  const texts = [...written.values()].join('');
  expect(texts).not.toMatch(/undefined|\[object|NaN/);
  const own = ['provisioning/dashboards', 'provisioning/datasources'];
  for (const path of own) expect(written.has(`grafana/${path}/mailweir.yaml`)).toBe(true);
});

it('are what the types of the SDK allow, and the schema refuses what they do not', () => {
  const schema = createGenerator({
    path: new URL('shape.ts', import.meta.url).pathname,
    tsconfig: new URL('../../tsconfig.json', import.meta.url).pathname,
    type: 'Board',
    expose: 'none',
    functions: 'hide',
    additionalProperties: false,
    skipTypeCheck: true,
  }).createSchema('Board');
  const isBoard = new Ajv({ strict: false }).compile(schema as object);
  for (const board of boards) {
    expect(isBoard(board), `${board.uid}: ${JSON.stringify(isBoard.errors?.slice(-3))}`).toBe(true);
    const panel = board.panels[1]!;
    for (const wrong of [{ ...panel, titel: '' }, { ...panel, type: 'graph' }, { type: 'stat' }]) {
      expect(isBoard({ ...board, panels: [wrong] })).toBe(false);
    }
    const query = { ...panel.targets![0]!, expr: 7 };
    expect(isBoard({ ...board, panels: [{ ...panel, targets: [query] }] })).toBe(false);
  }
}, 120_000);

describe.each(boards)('$uid', ({ panels, links, templating }) => {
  const asking = panels.filter(({ type }) => type !== 'row' && type !== 'text');

  it('has panels with ids, titles, units, descriptions and queries with names', () => {
    expect(panels.map(({ id }) => id)).toEqual(panels.map((_, index) => index + 1));
    for (const { title, description } of panels.filter(({ type }) => type !== 'row')) {
      expect(description, title).toMatch(/^[A-Z\d`].{20,}\.$/s);
    }
    for (const { title, targets, datasource, fieldConfig } of asking) {
      expect(fieldConfig?.defaults.unit, title).toBeTruthy();
      expect(datasource, title).toEqual({ type: 'prometheus', uid: '$source' });
      expect(targets!.length, title).toBeGreaterThan(0);
      expect(targets!.map(({ refId }) => refId)).toEqual([...'ABCDEFGH'].slice(0, targets!.length));
      expect(new Set(targets!.map(({ legendFormat }) => legendFormat)).size).toBe(targets!.length);
    }
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
  });

  it('asks for metrics of the table only, of the sensors that are chosen', () => {
    for (const { expr } of asking.flatMap(({ targets }) => targets!)) {
      for (const [, name, selector] of expr.matchAll(/\b([a-zA-Z]\w+)\{([^}]*)\}/g)) {
        const base = name!.replace(/_(bucket|sum|count)$/, '');
        expect(known.has(name!) || known.has(base), expr).toBe(true);
        expect(selector, expr).toContain(chosen);
      }
      expect(expr.match(/mailweir_\w+(?!\w|\{)/g), expr).toBe(null);
    }
  });

  it('has no panel on another one', () => {
    const cells = new Set<string>();
    for (const { gridPos, title } of panels) {
      const { x, y, w, h } = gridPos;
      expect(x + w, title).toBeLessThanOrEqual(24);
      for (let column = x; column < x + w; column++) {
        for (let row = y; row < y + h; row++) {
          expect(cells.has(`${column} ${row}`), title).toBe(false);
          cells.add(`${column} ${row}`);
        }
      }
    }
  });

  it('leads to the other boards and to the console, and has its variables', () => {
    expect(links.map(({ type }) => type)).toEqual(['dashboards', 'link']);
    expect(links[1]!.url).toBe('$console/');
    const names = templating.list.map(({ name }) => name);
    expect(names).toEqual(['source', 'site', 'sensor', 'direction', 'console']);
  });
});
