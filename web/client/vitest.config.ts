import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/**/*.test.{ts,tsx}'],
    // Two cores are shared with the server under test.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 150_000,
  },
});
