// The board as Grafana gets it: what the SDK leaves out is there, and it is the same every time.

import { expect, it } from 'vitest';
import { board, expressionOf, panels } from '../../dashboards/boards.js';

it('every panel has an id, a description, a unit and a target with its refId', () => {
  const made = JSON.parse(JSON.stringify(board())) as { panels: Record<string, unknown>[] };
  expect(made.panels.map(({ id }) => id)).toEqual(panels.map((_, index) => index + 1));
  for (const [index, panel] of made.panels.entries()) {
    const [title, unit, name] = panels[index]!;
    const targets = [{ refId: 'A', expr: expressionOf(name) }];
    expect(panel).toMatchObject({ title, targets, fieldConfig: { defaults: { unit } } });
    expect(panel['description']).toMatch(/\.$/);
  }
  expect(JSON.stringify(board())).toBe(JSON.stringify(board()));
});
