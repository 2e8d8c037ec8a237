/**
 * The fault table of EXACTLY-ONCE section 5 as vitest tests. A row has one or more cases; a case runs a number of rounds, which
 * the column decides: `taste` in `npm test`, `short` in `npm run faults`, `long` in `npm run faults -- --long`. A round draws
 * all that is random from its seed, which a failure names and FAULT_SEED repeats. Rounds of the long column are kept as lines
 * of a file; those that stand there as passed are not run again.
 */

import { describe, expect, test } from 'vitest'
import { Xoshiro128 } from '../../src/login-stats/generator/xoshiro128.ts'
import { systemClock } from '../../src/system/clock.ts'
import { systemRandom } from '../../src/system/random.ts'
import { appendResult, type Column, type FaultResult, passedRounds } from './fault-results.ts'
import { WrongCounts } from './oracle.ts'

export interface Rounds {
  /** In `npm test`; 0 by default. */
  readonly taste?: number
  /** In `npm run faults`. */
  readonly short: number
  /** In `npm run faults -- --long`. */
  readonly long: number
  /** For one round. */
  readonly timeoutMs?: number
}

export interface Round {
  /** The column that runs, for rows whose rounds are longer there. */
  readonly column: Column
  /** From 1. */
  readonly number: number
  readonly seed: number
  readonly random: Xoshiro128
}

/** What a round has done, for the table of results. */
export interface Figures {
  /** Input records, valid and invalid, that stood in the recount. */
  readonly logins: number
  /** Faults inflicted. */
  readonly faults: number
  /** The longest time in which the group committed nothing although there was input. */
  readonly stalledMs: number
  /** What came of the faults, where they may end in different ways: how many by outcome. */
  readonly outcomes?: Readonly<Record<string, number>>
}

type Outcome = Omit<FaultResult, 'row' | 'case' | 'round' | 'seed' | 'seconds'>

const column = (process.env.FAULT_COLUMN ?? 'taste') as Column
const fixedSeed = process.env.FAULT_SEED

/** Declares the rounds of one case of a row. `run` rejects where a count is wrong or a limit of the row is not kept. */
export function faultRounds(
  row: string,
  faultCase: string,
  rounds: Rounds,
  run: (round: Round) => Promise<Figures>,
): void {
  const passed = column === 'long' ? passedRounds(row, faultCase) : new Set<number>()
  const numbers = Array.from({ length: rounds[column] ?? 0 }, (_, index) => index + 1)
  const open = numbers.filter((number) => !passed.has(number))
  describe.skipIf(open.length === 0)(row, () => {
    test.each(open)(
      `${faultCase}, round %i`,
      async (number) => {
        const seed = fixedSeed === undefined ? new Xoshiro128(seedOfNow()).uint32() : Number(fixedSeed)
        const start = systemClock.monotonic()
        const finish = (outcome: Outcome): void => {
          if (column !== 'long') return
          const seconds = Math.round((systemClock.monotonic() - start) / 100) / 10
          appendResult({ row, case: faultCase, round: number, seed, seconds, ...outcome })
        }
        try {
          const figures = await run({ column, number, seed, random: new Xoshiro128(seed) })
          finish({ passed: true, wrong: 0, ...figures })
        } catch (error) {
          const wrong = error instanceof WrongCounts ? error.wrong : 0
          finish({ passed: false, wrong, error: String(error).slice(0, 500) })
          throw new Error(`FAULT_SEED=${seed}: ${String(error)}`, { cause: error })
        }
      },
      rounds.timeoutMs ?? 120_000,
    )
  })
  // A suite without tests is an error for vitest.
  if (open.length === 0) test.skip(`${row}: ${faultCase}`, () => expect.unreachable())
}

function seedOfNow(): number {
  return Number.parseInt(systemRandom.id().slice(0, 7), 36) || systemClock.now()
}
