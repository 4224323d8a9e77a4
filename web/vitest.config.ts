import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    alias: {
      // The marker package throws outside a React server build; unit tests run in plain Node.
      'server-only': here('./lib/testing/empty.ts'),
      '@': here('.'),
    },
  },
  test: { include: ['**/*.test.ts'], exclude: ['node_modules/**', '.next/**', 'e2e/**'] },
});
