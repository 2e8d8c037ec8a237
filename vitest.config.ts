import { defineConfig } from 'vitest/config'

/** The defaults, one second for what is polled and five for a test, are too short for machines that do other things, too. */
const patient = { testTimeout: 30_000, expect: { poll: { timeout: 20_000 } } }

const onKafka = {
  ...patient,
  globalSetup: ['test/support/broker-setup.ts'],
  testTimeout: 120_000,
  hookTimeout: 120_000,
  maxWorkers: 1,
}

export default defineConfig({
  test: {
    // CI reads its closing line from the JSON report.
    reporters: process.env.VITEST_JSON
      ? ['default', ['json', { outputFile: process.env.VITEST_JSON }]]
      : ['default'],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/mutants/planting.test.ts'],
          ...patient,
        },
      },
      { test: { name: 'simulation', include: ['test/simulation/**/*.test.ts'], testTimeout: 300_000 } },
      {
        // Left out of `npm test`: `npm run mutants` runs it.
        test: {
          name: 'mutants',
          include: ['test/mutants/**/*.test.ts'],
          exclude: ['test/mutants/planting.test.ts'],
          globalSetup: ['test/support/broker-setup.ts'],
          testTimeout: 300_000,
          hookTimeout: 60_000,
          maxWorkers: 1,
        },
      },
      {
        test: {
          name: 'kafka',
          include: [
            'test/contract/**/*.test.ts',
            'test/integration/**/*.test.ts',
            'test/faults/**/*.test.ts',
          ],
          ...onKafka,
        },
      },
      // Left out of `npm test`: `npm run test:surroundings` runs it.
      { test: { name: 'surroundings', include: ['test/surroundings/**/*.test.ts'], ...onKafka } },
    ],
  },
})
