import { fileURLToPath } from 'node:url';

import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

const notModal = fileURLToPath(new URL('src/widgets/not_modal.ts', import.meta.url));

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { 'react-remove-scroll': notModal, 'aria-hidden': notModal } },
  build: {
    target: 'es2022',
    // The policy of the page allows no data in scripts' and styles' place, and a file is cached for ever.
    assetsInlineLimit: 0,
    // Puts an inline script where browsers lack it; those that we support do not.
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        codeSplitting: {
          // Our own code, and what it needs, is one file: packed together it is a quarter smaller than page by page. What
          // draws charts stays with the pages that have one.
          groups: [{ name: 'panel', test: /panel\/src\/(?!pages\/(dashboard|server)\/|widgets\/chart)/ }],
        },
      },
    },
  },
  server: { proxy: { '/api': 'http://127.0.0.1:8080' } },
  test: { include: ['tests/**/*.test.ts'] },
});
