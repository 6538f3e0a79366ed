// Prints what each entry of the package adds to a page, minified and gzipped, and fails above the limits.
// Peers (React, TanStack Query) and, for the React layer, the core are the application's own.
import { gzipSync } from 'node:zlib';

import { build } from 'esbuild';

/** Leaves out what a page with the core has already. */
const withoutCore = {
  name: 'without-core',
  setup: (build) => build.onResolve({ filter: /^\.\.\// }, ({ path }) => ({ path, external: true })),
};

/** In bytes, gzipped. */
const LIMITS = [
  { of: 'import { connect }', limit: 7_168, text: "export { connect, cursorOf } from './index.ts'" },
  { of: 'import { connect, oneStream }, and all else of the core', limit: 8_192, entry: 'src/index.ts' },
  { of: 'import { matches }', limit: 200, text: "export { matches } from './index.ts'" },
  { of: 'the typed API client', limit: 4_096, entry: 'src/api.ts' },
  {
    of: 'the React layer, without React and the core',
    limit: 3_072,
    entry: 'src/react/index.ts',
    plugins: [withoutCore],
  },
];

let over = false;
for (const { entry, of, limit, text, plugins = [] } of LIMITS) {
  const input = text
    ? { stdin: { contents: text, resolveDir: 'src', sourcefile: 'only.ts' } }
    : { entryPoints: [entry] };
  const { outputFiles } = await build({
    ...input,
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    external: ['react', 'react/jsx-runtime', '@tanstack/react-query'],
    plugins,
  });
  const bytes = gzipSync(outputFiles[0].contents, { level: 9 }).length;
  over ||= bytes > limit;
  console.log(`${String(bytes).padStart(6)} of ${limit} bytes gzip${bytes > limit ? '  TOO LARGE' : ''}  ${of}`);
}
process.exitCode = over ? 1 : 0;
