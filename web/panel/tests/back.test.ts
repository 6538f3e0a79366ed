import { expect, test } from 'vitest';

import { readBack } from '../src/pages/log/back.ts';

/** A log of `length` events of which every `each`th fits the filter; counts how often it is asked. */
function log(length: number, each: number) {
  let asked = 0;
  return {
    get asked() {
      return asked;
    },
    read: async (after: number, limit: number) => {
      asked += 1;
      const items: { seq: number }[] = [];
      let seq = after;
      while (seq < length && items.length < limit) {
        seq += 1;
        if (seq % each === 0) items.push({ seq });
      }
      return { items, next: seq };
    },
  };
}

async function all(length: number, each: number, wanted: number) {
  const { read } = log(length, each);
  const seqs: number[] = [];
  for (let before = length + 1; before > 0;) {
    const found = await readBack(before, wanted, read);
    seqs.push(...found.items.map(({ seq }) => seq));
    before = found.before;
  }
  return seqs;
}

test.each([
  [0, 1],
  [1, 1],
  [199, 1],
  [200, 1],
  [201, 1],
  [5000, 1],
  [5000, 7],
  [5000, 997],
  [3, 5],
])('of %i events, one of %i, each is found once, newest first', async (length, each) => {
  const expected = Array.from({ length }, (_, at) => length - at).filter((seq) => seq % each === 0);
  expect(await all(length, each, 50)).toEqual(expected);
});

test('a rare type in a long log takes few questions', async () => {
  const rare = log(1_000_000, 400_000);
  const found = await readBack(1_000_001, 50, rare.read);
  expect(found).toEqual({ items: [{ seq: 800_000 }, { seq: 400_000 }], before: 0 });
  expect(rare.asked).toBeLessThan(30);
});
