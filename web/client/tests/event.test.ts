import { expect, expectTypeOf, test } from 'vitest';

import { type Connection, type UnknownEvent, matches } from '../src/index.ts';

test('a pattern is a type, a family or all, as at the server', () => {
  expect(matches('*', 'incident.created')).toBe(true);
  expect(matches('incident.created', 'incident.created')).toBe(true);
  expect(matches('incident.*', 'incident.status.changed')).toBe(true);
  expect(matches('incident.status.*', 'incident.status.changed')).toBe(true);
  expect(matches('incident.*', 'incidental.created')).toBe(false);
  expect(matches('incident.*', 'incident')).toBe(false);
  expect(matches('incident', 'incident.created')).toBe(false);
});

test('handlers are given what their pattern promises', () => {
  const check = (connection: Connection) => {
    connection.on('incident.status.changed', ({ data }) => {
      expectTypeOf(data.new).toExtend<string>();
      expectTypeOf(data).not.toBeAny();
    });
    connection.on('incident.*', (event) => {
      expectTypeOf(event.type).extract<'user.created'>().toBeNever();
      if (event.type === 'incident.commented') expectTypeOf(event.data.text).toBeString();
    });
    connection.on('registered.later', (event) => expectTypeOf(event).toEqualTypeOf<UnknownEvent>());
    // @ts-expect-error: this event has no such field
    connection.on('incident.commented', ({ data }) => data.wat);
  };
  expect(check).toBeTypeOf('function'); // what is proved here is that it compiles: `npm run check`
});
