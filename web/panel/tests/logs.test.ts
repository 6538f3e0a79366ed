import type { EventOf } from '@signalbox/client';
import { describe, expect, test } from 'vitest';

import { bars, heights } from '../src/pages/logs/bars.ts';
import { fieldOf, fits, mayFit, piecesOf, queryOf, rangeOf, readLogsSearch } from '../src/pages/logs/filter.ts';
import { admitted, type Line, linesOf, micros, newestFirst } from '../src/pages/logs/lines.ts';
import { parseSearch, stringifySearch } from '../src/shell/search.ts';

const NOW = Date.parse('2026-11-21T12:00:00Z');
const line = (id: string, at = '2026-11-21T11:00:00Z'): Line => ({
  id,
  at,
  recorded_at: at,
  level: 'info',
  source: 'sshd',
  message: id,
});
const ids = (lines: Line[]) => lines.map(({ id }) => id).join(' ');

describe('the address', () => {
  test('is read as it was written, and what is not known is left out', () => {
    const written =
      '?q=a+%22b+c%22&level=warn&source=sshd&server=web-1&last=7d&line=4711.3&times=ago' +
      '&execution=0198c0de-0000-7000-8000-000000000001&since=2026-11-21T00%3A00%3A00Z&field=status%3A200&field=url%3Aa%3Ab';
    const search = readLogsSearch(parseSearch(written));
    expect(search.field).toEqual(['status:200', 'url:a:b']);
    expect(search).toMatchObject({ q: 'a "b c"', level: 'warn', last: '7d', line: '4711.3', times: 'ago' });
    expect(readLogsSearch(parseSearch(stringifySearch({ ...search })))).toEqual(search);
    const unknown =
      '?level=bad&last=9y&since=yesterday&before=2026-13-45T00:00:00Z&line=x&execution=1&times=never&field=x&field=:y';
    expect(readLogsSearch(parseSearch(unknown))).toEqual({});
  });

  test('means a day up to now, unless it names a time', () => {
    expect(rangeOf({}, NOW)).toEqual({ since: '2026-11-20T12:00:00.000Z' });
    expect(rangeOf({ last: '15m' }, NOW)).toEqual({ since: '2026-11-21T11:45:00.000Z' });
    expect(rangeOf({ last: 'all' }, NOW)).toEqual({});
    const before = '2026-01-01T00:00:00Z';
    expect(queryOf({ last: '15m', before, q: 'x' }, NOW)).toEqual({ before, q: 'x' });
  });
});

test('words are taken apart as the server does', () => {
  expect(piecesOf('no  route "to  host" x')).toEqual(['no', 'route', 'to  host', 'x']);
  expect(piecesOf('"open end')).toEqual(['open end']);
  expect(piecesOf('')).toEqual([]);
});

test.each([
  [{}, true],
  [{ source: 'sshd', server: 'web-1' }, true],
  [{ source: 'cron' }, false],
  [{ server: 'web-2' }, false],
  [{ execution: '0198c0de-0000-7000-8000-000000000001' }, false],
  [{ level: 'warn' }, true],
  [{ level: 'error' }, false],
] as const)('a batch of warnings by sshd on web-1 and %j: %s', (filter, expected) => {
  expect(mayFit({ source: 'sshd', server: 'web-1', levels: { info: 3, warn: 1 } }, filter)).toBe(expected);
});

test.each([
  [{}, true],
  [{ q: 'PASSWORD root' }, true],
  [{ q: '"for root"' }, true],
  [{ q: '"root for"' }, false],
  [{ level: 'warn' }, true],
  [{ level: 'error' }, false],
  [{ since: '2026-11-21T11:00:00Z' }, true],
  [{ before: '2026-11-21T11:00:00Z' }, false],
  [{ last: '15m' }, false],
] as const)('a warning an hour ago and %j: %s', (filter, expected) => {
  const message = 'Failed password for root';
  expect(fits({ at: '2026-11-21T11:00:00Z', level: 'warn', message }, filter, NOW)).toBe(expected);
});

test.each([
  [['status:200'], true],
  [['status:2e2'], true],
  [['status:0xc8'], false],
  [['status:20'], false],
  [['path:/a:b', 'ok:true'], true],
  [['path:/a:b', 'ok:false'], false],
  [['gone:null'], false],
  [['text:200.0'], true],
  [['text:200'], false],
  [['constructor:x'], false],
] as const)('a line with fields and %j: %s', (field, expected) => {
  const fields = { status: 200, path: '/a:b', ok: true, gone: null, text: '200.0' };
  const line = { at: '2026-11-21T11:00:00Z', level: 'info', message: '', fields };
  expect(fits(line, { field: [...field] }, NOW)).toBe(expected);
});

test('a field is looked for by its value where that has one', () => {
  expect(fieldOf('status', 200)).toBe('status:200');
  expect(fieldOf('path', 'a:b')).toBe('path:a:b');
  for (const value of [null, {}, [1], 'x'.repeat(500)]) expect(fieldOf('status', value)).toBe(undefined);
  expect(fieldOf('a:b', 1)).toBe(undefined);
});

describe('the list', () => {
  test('is in the order of the server: time to the microsecond, then the order of recording', () => {
    expect(micros('2026-11-21T11:00:00.123456Z') - micros('2026-11-21T11:00:00.123Z')).toBe(456);
    expect(micros('2026-11-21T11:00:00.1234Z') - micros('2026-11-21T11:00:00.123Z')).toBe(400);
    const lines = [
      line('9.2'),
      line('10.1'),
      line('9.10'),
      line('1.1', '2026-11-21T11:00:00.000001Z'),
      line('2.1', '2026-11-21T12:30:00+02:00'),
    ];
    expect(ids(lines.sort(newestFirst))).toBe('1.1 10.1 9.10 9.2 2.1');
  });

  test('takes each line once, where it belongs, and none from beyond what is loaded', () => {
    const items = [line('5.1', '2026-11-21T11:05:00Z'), line('3.1', '2026-11-21T11:03:00Z')];
    const arrived = [
      line('5.1', '2026-11-21T11:05:00Z'),
      line('6.1', '2026-11-21T11:04:00Z'),
      line('7.1', '2026-11-21T11:06:00Z'),
      line('7.1', '2026-11-21T11:06:00Z'),
      line('8.1', '2026-11-21T11:01:00Z'),
    ];
    const part = admitted({ items, newer: false, older: true }, arrived, 10);
    expect(ids(part.items)).toBe('7.1 5.1 6.1 3.1');
    const whole = admitted({ items, newer: false, older: false }, arrived, 10);
    expect([ids(whole.items), whole.older]).toEqual(['7.1 5.1 6.1 3.1 8.1', false]);
  });

  test('keeps the newest when it grows too long, and knows that there is more', () => {
    const { items, older } = admitted({ items: [line('1.1')], newer: false, older: false }, [line('2.1')], 1);
    expect([ids(items), older]).toEqual(['2.1', true]);
  });

  test('has the lines of an event as the API would say them, or none where the event counts them only', () => {
    const event = (lines?: object[]) =>
      ({
        seq: 7,
        recorded_at: '2026-11-21T11:00:00Z',
        data: { source: 'sshd', count: 2, levels: { info: 2 }, ...(lines && { lines }) },
      }) as EventOf<'log.added'>;
    const [first, second] = linesOf(event([{ message: 'a' }, { message: 'b', at: '2005-06-14T15:16:01Z' }]))!;
    expect(first).toEqual({ ...line('7.1'), message: 'a' });
    expect(second).toMatchObject({ id: '7.2', at: '2005-06-14T15:16:01Z', recorded_at: '2026-11-21T11:00:00Z' });
    expect(linesOf(event())).toBeUndefined();
  });
});

test('bars have no gaps, and stand on each other with what is bad on the ground', () => {
  const at = (minute: number) => new Date(minute * 60_000).toISOString();
  const items = [
    { at: at(11), levels: { fatal: 1, error: 2, warn: 4 } },
    { at: at(13), levels: { info: 8, trace: 16 } },
  ];
  const shown = bars(items, 60, 10.5 * 60, 13.5 * 60);
  expect(shown.times_s).toEqual([600, 660, 720, 780]);
  expect(shown.counts).toEqual([
    [0, 3, 0, 0],
    [0, 4, 0, 0],
    [0, 0, 0, 8],
    [0, 0, 0, 16],
  ]);
  expect(heights(shown.counts)).toEqual([
    [0, 7, 0, 24],
    [0, 7, 0, 8],
    [0, 7, 0, 0],
    [0, 3, 0, 0],
  ]);
});
