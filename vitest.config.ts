import { defineConfig } from 'vitest/config'

const common = { disableConsoleIntercept: true, testTimeout: 20_000, hookTimeout: 20_000, teardownTimeout: 10_000 }

export default defineConfig({
  test: {
    projects: [
      { test: { ...common, name: 'unit', include: ['test/{unit,property,golden}/**/*.test.ts'] } },
      {
        test: {
          ...common,
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          // Mostly waiting for rounds of a fixed length; nothing here asserts a time, and what is measured beside others is INVALID and says so.
          maxWorkers: 3,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
