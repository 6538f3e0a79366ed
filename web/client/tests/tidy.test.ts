// Rules of this package that no compiler knows.
import { readFile, readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';

const SOURCES = new URL('../src/', import.meta.url);
const MOST_LINES = 400;

const names = (await readdir(SOURCES, { recursive: true })).filter((name) => /\.tsx?$/.test(name));
const written = names.filter((name) => !name.startsWith('generated'));

test.each(written)('%s is of a readable size and says its types', async (name) => {
  const text = await readFile(new URL(name, SOURCES), 'utf8');
  expect(text.split('\n').length).toBeLessThan(MOST_LINES);
  expect(text).not.toMatch(/[:<|&(]\s*any\b|\bas any\b|@ts-(ignore|expect-error|nocheck)|eslint-disable/);
});

test('the core imports neither React nor what is built on it', async () => {
  for (const name of written.filter((one) => !one.startsWith('react'))) {
    const text = await readFile(new URL(name, SOURCES), 'utf8');
    expect(text, name).not.toMatch(/from '(react|@tanstack|\.\/react)/);
  }
});
