import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** One configuration for every room; a package's own `vitest run` uses the file beside it, which re-exports this. */
export default defineConfig({
  resolve: { conditions: ['@tutti/source', 'node'] },
  ssr: { resolve: { conditions: ['@tutti/source', 'node'] } },
  test: {
    include: ['**/*.spec.ts'],
    setupFiles: [fileURLToPath(new URL('tools/equal-bytes.mjs', import.meta.url))],
    exclude: ['**/node_modules/**', '**/dist/**', '.nx/**'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    passWithNoTests: true,
    pool: 'forks',
  },
});
