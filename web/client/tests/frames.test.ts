// The parsing rules of WHATWG HTML, 9.2.6, on bytes.
import { expect, test } from 'vitest';

import { frameReader } from '../src/frames.ts';

/** What is told of these bytes, in pieces of this size. */
function read(bytes: string | Uint8Array, size = Infinity): unknown[] {
  const told: unknown[] = [];
  const feed = frameReader({
    frame: ({ id, event, data }) => told.push(id === undefined ? [event, data] : [id, event, data]),
    bookmark: (id) => told.push(id),
    retry: (ms) => told.push({ retry: ms }),
  });
  const all = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes;
  for (let at = 0; at < all.length; at += size) feed(all.subarray(at, at + size));
  return told;
}

const VECTORS: [sentence: string, bytes: string, told: unknown[]][] = [
  ['an event has a name and data', 'event: a\ndata: b\n\n', [['a', 'b']]],
  ['one space after the colon is not of the value', 'data:  b \ndata:c\n\n', [['', ' b \nc']]],
  ['lines of data are joined by a line feed', 'data: a\ndata\ndata: b\n\n', [['', 'a\n\nb']]],
  ['a frame without data tells nothing', 'event: a\n\ndata: b\n\n', [['', 'b']]],
  ['an empty line of data is data', 'event: a\ndata\n\n', [['a', '']]],
  [
    'lines end with CR',
    'id: 1\revent: a\rdata: b\r\rdata: c\r\r:\r',
    [
      [1, 'a', 'b'],
      ['', 'c'],
    ],
  ],
  ['lines end with CR LF', 'id: 1\r\nevent: a\r\ndata: b\r\n\r\n', [[1, 'a', 'b']]],
  ['lines end with CR, LF and CR LF in one stream', 'data: a\r\ndata: b\rdata: c\n\n', [['', 'a\nb\nc']]],
  ['a byte order mark at the start is not of the first line', '\uFEFFdata: a\n\n', [['', 'a']]],
  ['only one byte order mark is', '\uFEFF\uFEFFdata: a\n\ndata: b\n\n', [['', 'b']]],
  ['one in the middle is text', 'data: \uFEFFa\n\n', [['', '\uFEFFa']]],
  ['comments are not told', ': a\n:\n\ndata: b\n:data: c\n\n', [['', 'b']]],
  ['fields that are not known are ignored', 'wat: 1\nDATA: 2\ndata : 3\ndata: 4\n\n', [['', '4']]],
  ['an id alone is a bookmark', 'id: 7\n\n', [7]],
  [
    'a bookmark before a frame without an id is told first',
    'id: 7\n\nevent: heartbeat\ndata: {}\n\n',
    [7, ['heartbeat', '{}']],
  ],
  ['an id with NUL is ignored', 'id: 7\0\nevent: a\ndata: b\n\nid: 1\0\n\n', [['a', 'b']]],
  ['an empty id moves no cursor', 'id\ndata: a\n\nid:\n\n', [['', 'a']]],
  ['an id that is no whole number moves no cursor', 'id: -1\n\nid: 1e3\n\nid: 0x10\n\nid: 7 \n\n', []],
  ['an id too large to be exact moves no cursor', 'id: 99999999999999999999\n\n', []],
  ['the last of several ids counts', 'id: 1\nid: 2\n\n', [2]],
  ['retry is digits only', 'retry: 10\nretry: 1.5\nretry: x\nretry:\n\n', [{ retry: 10 }]],
  ['what the end cuts off is not told', 'data: a\n\nid: 2\nevent: b\ndata: c\n', [['', 'a']]],
  ['text of several bytes comes whole', 'data: Größe – 例 – 🚂\n\n', [['', 'Größe – 例 – 🚂']]],
];

test.each(VECTORS)('%s', (_sentence, bytes, told) => {
  expect(read(bytes)).toEqual(told);
});

test.each(VECTORS)('byte by byte: %s', (_sentence, bytes, told) => {
  expect(read(bytes, 1)).toEqual(told);
});

test('bytes that are no UTF-8 become replacement characters and break nothing', () => {
  const bytes = Uint8Array.from([...Buffer.from('data: '), 0xff, 0xc3, ...Buffer.from('\n\ndata: b\n\n')]);
  expect(read(bytes)).toEqual([
    ['', '\uFFFD\uFFFD'],
    ['', 'b'],
  ]);
});

test('a frame without an end is refused before it fills the memory', () => {
  const piece = new TextEncoder().encode('a'.repeat(1_000_000));
  const feed = frameReader({ frame: () => {}, bookmark: () => {}, retry: () => {} });
  feed(new TextEncoder().encode('data: '));
  expect(() => {
    for (let i = 0; i < 6; i += 1) feed(piece);
  }).toThrow('longer than any');
});
