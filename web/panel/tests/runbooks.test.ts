import { expect, test } from 'vitest';

import { filled, type Input, valuesOf, wrongOf } from '../src/pages/runbook/values.ts';
import { lineOf, lineOfError, placesIn } from '../src/pages/runbook_edit/places.ts';
import { textOf } from '../src/pages/runbook_edit/template.ts';
import { readRunFilter } from '../src/pages/runs/filter.ts';
import { settle } from '../src/pages/runs/steady.ts';
import { parseSearch, stringifySearch } from '../src/shell/search.ts';

test('a form becomes what the inputs want, and what is empty is left out', () => {
  const inputs = [
    { name: 'host', kind: 'text' },
    { name: 'note', kind: 'text', default: 'as always' },
    { name: 'times', kind: 'integer' },
    { name: 'dry', kind: 'boolean' },
    { name: 'zone', kind: 'choice', choices: ['a', 'b'] },
    { name: 'token', kind: 'text', secret: true },
  ] as Input[];
  const form = (values: Record<string, string>) => {
    const data = new FormData();
    Object.entries(values).forEach(([name, value]) => data.append(name, value));
    return data;
  };
  expect(valuesOf(inputs, form({ host: '', note: '', times: '', dry: '', zone: '', token: '' }))).toEqual({ note: '' });
  const given = { host: 'db-1', note: 'x', times: '-3', dry: 'false', zone: 'b', token: ' s3cr ' };
  expect(valuesOf(inputs, form(given))).toEqual({ ...given, times: -3, dry: false });
});

test('problems stand beside their fields, and the others are told', () => {
  const errors = [
    { pointer: '/inputs/token', message: 'is a secret of 4 characters or more' },
    { pointer: '/reason', message: 'is too long' },
  ];
  expect(wrongOf(errors, '/inputs')).toEqual({
    fields: { token: 'is a secret of 4 characters or more' },
    rest: ['reason is too long'],
  });
  expect(wrongOf(undefined, '/inputs')).toEqual({ fields: {}, rest: [] });
});

test('a prompt is shown with its values', () => {
  expect(filled('{{inputs.host}} or {{inputs.none}}, {{inputs.constructor}}', { host: 'db-1' })).toBe(
    'db-1 or {{inputs.none}}, {{inputs.constructor}}',
  );
});

test('a pointer is found on its line, and what is not there on the line of what would hold it', () => {
  const json = JSON.stringify(
    { name: 'A: {b}', 'a/b~c': [1, [2]], steps: [{ name: 'x', wait: { seconds: 1 } }, { name: 'y' }] },
    undefined,
    2,
  );
  const lines = json.split('\n');
  const places = placesIn(json);
  const at = (pointer: string) => lines[lineOf(places, pointer)]!.trim();
  expect(at('')).toBe('{');
  expect(at('/name')).toBe('"name": "A: {b}",');
  expect(at('/a~1b~0c/1/0')).toBe('2');
  expect(at('/steps')).toBe('"steps": [');
  expect(at('/steps/0/wait/seconds')).toBe('"seconds": 1');
  expect(at('/steps/1/name')).toBe('"name": "y"');
  expect(at('/steps/1/retry/attempts')).toBe('{');
  expect(lineOf(places, '/steps/1')).toBe(lines.lastIndexOf('    {'));
  expect(at('/nothing')).toBe('{');
  expect(placesIn('{"half": [1, "unfinished').get('/half/0')).toBe(0);
});

test('what a parser says is found on its line', () => {
  const parse = (json: string) => {
    try {
      return JSON.parse(json) as unknown;
    } catch (error) {
      return lineOfError((error as Error).message, json);
    }
  };
  expect(parse('{\n  "a": 1,\n  "b" 2\n}')).toBe(2);
  expect(parse('{\n  "a": 1,\n')).toBe(2);
});

test('filters of runs are read from the address, and what is not known is left out', () => {
  const id = '0198c0de-0000-7000-8000-000000000001';
  const filter = readRunFilter(parseSearch(`?status=failed&status=lost&trigger=schedule&runbook=${id}&correlation=x`));
  expect(filter).toEqual({ status: ['failed'], trigger: 'schedule', runbook: id });
  expect(readRunFilter(parseSearch(stringifySearch(filter as never)))).toEqual(filter);
  expect(readRunFilter(parseSearch('?trigger=toString'))).toEqual({});
});

test('rows stay where they are, change there, and what comes and goes is counted', () => {
  const row = (id: string, version = 1) => ({ id, version });
  const before = [row('c'), row('b'), row('a')];
  expect(settle(before, [row('d'), row('c', 2), row('a')])).toEqual({
    rows: [row('c', 2), row('b'), row('a')],
    come: 1,
    gone: new Set(['b']),
  });
  const further = settle(before, [...before, row('older')]);
  expect([further.rows.length, further.come]).toEqual([4, 0]);
  expect(settle([], before).rows).toEqual(before);
  expect(settle(before, [row('new')])).toMatchObject({ rows: before, come: 1 });
});

test('a definition is written for people: name first, and nothing that goes without saying', () => {
  const definition = {
    description: '',
    inputs: [{ choices: [], default: false, description: '', kind: 'boolean', name: 'dry', required: false }],
    max_concurrent: 1,
    name: 'Tidy',
    on_event: null,
    steps: [{ continue_on_failure: false, name: 'Go', notification: { subject: 's', text: '' }, timeout_s: 60 }],
  };
  expect(JSON.parse(textOf(definition as never))).toEqual({
    name: 'Tidy',
    inputs: [{ name: 'dry', kind: 'boolean', default: false }],
    steps: [{ name: 'Go', notification: { subject: 's', text: '' }, timeout_s: 60 }],
    max_concurrent: 1,
  });
  expect(Object.keys(JSON.parse(textOf(definition as never)) as object)).toEqual([
    'name',
    'inputs',
    'steps',
    'max_concurrent',
  ]);
});
