// Packs every file of the build, which the server sends to browsers as it is, and fails above the limit.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

/** All scripts and styles together, in bytes, gzipped. */
const LIMIT = 250 * 1024;

const dist = fileURLToPath(new URL('../dist/', import.meta.url));
let total = 0;
for (const name of readdirSync(dist, { recursive: true })) {
  if (!/\.(js|css|html|svg)$/.test(name)) continue;
  const packed = gzipSync(readFileSync(dist + name), { level: 9 });
  writeFileSync(`${dist}${name}.gz`, packed);
  total += packed.length;
  console.log(`${String(packed.length).padStart(7)} bytes gzip  ${name}`);
}
console.log(`${String(total).padStart(7)} of ${LIMIT} bytes gzip in all${total > LIMIT ? '  TOO LARGE' : ''}`);
process.exitCode = total > LIMIT ? 1 : 0;
