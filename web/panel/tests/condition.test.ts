import { expect, test } from 'vitest';

import { placeOf } from '../src/pages/notifications/condition.tsx';

test('a fault is shown at the character that the server counted, also behind those of two halves', () => {
  const text = 'data.title contains "🔥🔥" "x"';
  const place = placeOf('at character 26: expected an operator', text)!;
  expect(place).toMatchObject({ message: 'expected an operator', char: '"', after: 'x"' });
  expect(text.slice(place.start, place.end)).toBe('"');
  expect(text.slice(0, place.start)).toBe('data.title contains "🔥🔥" ');
});

test('a fault at the end, or of a text that is gone meanwhile, stays within the text', () => {
  expect(placeOf('at character 5: expected a value', 'data')).toMatchObject({ before: 'data', char: '', start: 4 });
  expect(placeOf('at character 500: too long', 'data')).toMatchObject({ start: 4, end: 4 });
});

test('what names no place has none', () => {
  expect(placeOf('must not be blank', 'data')).toBeUndefined();
  expect(placeOf(undefined, 'data')).toBeUndefined();
});
