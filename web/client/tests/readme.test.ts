import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

const read = (name: string) => readFile(new URL(name, import.meta.url), 'utf8');

test('the examples of README.md are those that the compiler has read', async () => {
  const [readme, examples] = await Promise.all([read('../README.md'), read('readme_examples.tsx')]);
  const shown = [...readme.matchAll(/```tsx?\n(.*?)```/gs)].map(([, code = '']) => code.replace(/^import .*\n+/gm, ''));
  const compiled = [...examples.matchAll(/^( *)\/\/ #region\n(.*?)^ *\/\/ #endregion/gms)].map(
    ([, indent = '', code = '']) => code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  );
  expect(shown).toEqual(compiled);
});
