import { expect, test } from 'vitest';

import { marked, pieces } from '../src/pages/run/ansi.ts';

const E = '\u001b';
const shown = (line: string) => pieces(line).map(({ text, look }) => (look ? `${look}:${text}` : text));

test.each([
  ['plain', ['plain']],
  ['', []],
  [`${E}[31mred${E}[0m plain`, ['ansi-red:red', ' plain']],
  [`${E}[1;92mok${E}[22m still`, ['ansi-bold ansi-green:ok', 'ansi-green: still']],
  [`${E}[41mon${E}[49moff`, ['ansi-on-red:on', 'off']],
  [`${E}[mreset`, ['reset']],
  [`${E}[38;5;9mred of 256`, ['ansi-red:red of 256']],
  [`${E}[38:2:10:20:30mall`, ['ansi-colour:all']],
  // Cursors, titles, links, and sequences that end too early are left out.
  [`${E}[2K${E}[1Ga${E}[?25lb`, ['a', 'b']],
  [`${E}]0;a title\u0007text`, ['text']],
  [`${E}]8;;https://evil.example${E}\\link${E}]8;;${E}\\`, ['link']],
  [`cut${E}[38;5`, ['cut']],
  [`cut${E}`, ['cut']],
  [`a\u0007b\u0000c\td`, ['a', 'b', 'c\td']],
  // What was written over is gone.
  ['10 %\r50 %\r100 %\r', ['100 %']],
] as const)('%j is shown as %j', (line, expected) => {
  expect(shown(line)).toEqual(expected);
});

test('colours of all are colours and nothing else', () => {
  expect(pieces(`${E}[38;2;1;2;3mx`)[0]).toMatchObject({ colour: 'rgb(1 2 3)', look: 'ansi-colour' });
  expect(pieces(`${E}[48;5;196mx`)[0]).toMatchObject({ ground: 'rgb(255 0 0)', look: 'ansi-ground' });
  expect(pieces(`${E}[48;5;232mx`)[0]).toMatchObject({ ground: 'rgb(8 8 8)' });
  expect(pieces(`${E}[38;2;1;2;999mx`)[0]).toEqual({ text: 'x', look: '' });
  expect(pieces(`${E}[38;2;1mx`)[0]).toEqual({ text: 'x', look: '' });
});

test('markup stays text', () => {
  expect(shown('<img src=x onerror=alert(1)>')).toEqual(['<img src=x onerror=alert(1)>']);
});

test('what is searched for is marked in any case, across looks, and whatever it means to a pattern', () => {
  const cut = (line: string, words: string) =>
    marked(pieces(line), words).map(({ text, found }) => (found ? `[${text}]` : text));
  expect(cut(`no er${E}[31mror, Error`, 'error')).toEqual(['no ', '[er]', '[ror]', ', ', '[Error]']);
  expect(cut('a.b a+b', '.')).toEqual(['a', '[.]', 'b a+b']);
  expect(cut('aaa', 'aa')).toEqual(['[aa]', 'a']);
  expect(cut('ẞ İx x', 'x')).toEqual(['ẞ İ', '[x]', ' ', '[x]']);
  expect(cut('text', '')).toEqual(['text']);
  expect(marked(pieces(`${E}[31mred`), 'e').map(({ look }) => look)).toEqual(Array(3).fill('ansi-red'));
});

test('a line of control sequences takes no longer than it is long', () => {
  const began = performance.now();
  pieces(`${E}[`.repeat(4000) + `${E}]`.repeat(4000) + '1;'.repeat(4000));
  expect(performance.now() - began).toBeLessThan(1000);
});
