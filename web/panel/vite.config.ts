import { fileURLToPath } from 'node:url';

import react from '@vitejs/plugin-react';
import type { Rolldown } from 'vite';
import { defineConfig } from 'vitest/config';

const notModal = fileURLToPath(new URL('src/widgets/not_modal.ts', import.meta.url));

/**
 * What is needed before any page is one file, and all pages are another: each by itself would say again what the others
 * say, and together they are a quarter smaller. The chart's library stays apart.
 */
const codeSplitting: Rolldown.CodeSplittingOptions = {
  includeDependenciesRecursively: false,
  groups: [
    { name: 'shell', tags: ['$initial'], priority: 1 },
    { name: 'pages', test: /\/panel\/src\// },
  ],
};

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { 'react-remove-scroll': notModal, 'aria-hidden': notModal } },
  build: {
    target: 'es2022',
    // The policy of the page allows no data in scripts' and styles' place, and a file is cached for ever.
    assetsInlineLimit: 0,
    // Puts an inline script where browsers lack it; those that we support do not.
    modulePreload: { polyfill: false },
    rolldownOptions: { output: { codeSplitting } },
  },
  server: { proxy: { '/api': 'http://127.0.0.1:8080' } },
  test: { include: ['tests/**/*.test.ts'] },
});
