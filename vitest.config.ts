import { defineConfig } from 'vitest/config';
import { buildId } from './bin/build-id.ts';

export default defineConfig({
  // Tests talk to the built engine as a client of the same build.
  define: { 'globalThis.SALLYPORT_BUILD': JSON.stringify(buildId()) },
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    globalSetup: 'test/support/global-setup.ts',
    pool: 'forks',
    // Most tests wait for a peer, not for a processor.
    maxWorkers: 3,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
