import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

import { apiTypes, GENERATED } from '../scripts/generated.mjs';

test('the types of the API are those of openapi/openapi.json', async () => {
  const checkedIn = await readFile(new URL('openapi.ts', GENERATED), 'utf8');
  const same = checkedIn === (await apiTypes());
  expect(same, 'src/generated/openapi.ts differs: `make openapi` writes it anew').toBe(true);
});
