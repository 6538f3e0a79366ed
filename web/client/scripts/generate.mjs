// Writes src/generated anew: the API's types from openapi/openapi.json, the events' types from the registry of a
// server that this script starts for the purpose. `node scripts/generate.mjs`, or `make openapi` at the root.
import { writeFile } from 'node:fs/promises';

import { apiTypes, eventTypes, GENERATED } from './generated.mjs';
import { startServer } from './server.mjs';

await writeFile(new URL('openapi.ts', GENERATED), await apiTypes());
const server = await startServer();
try {
  await writeFile(new URL('events.ts', GENERATED), await eventTypes(await server.registry()));
} finally {
  await server.stop();
}
