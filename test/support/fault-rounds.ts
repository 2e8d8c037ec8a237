/**
 * The fault table of EXACTLY-ONCE section 5 as vitest tests. A row has one or more cases; a case runs a number of rounds, which
 * the column decides: `taste` in `npm test`, `short` in `npm run faults`, `long` in `npm run faults -- --long`. A round draws
 * all that is random from its seed, which a failure names and FAULT_SEED repeats. Rounds of the long column are kept as lines
 * of a file; those that stand there as passed are not run again.
 *
 * In the short column each round runs with one transaction per thread, and once more with one per task; in the taste only those of
 * cases that say so; in the long column every other round has one per task.
 */

import { describe, expect, test } from 'vitest'
import { Xoshiro128 } from '../../src/login-stats/generator/xoshiro128.ts'
import type { TransactionScope } from '../../src/streams/index.ts'
import { systemClock } from '../../src/system/clock.ts'
import { systemRandom } from '../../src/system/random.ts'
import {
  appendResult,
  type Column,
  columns,
  type FaultResult,
  passedRounds,
  revision,
} from './fault-results.ts'
import { setDefaultScope } from './transaction-scope.ts'
import { WrongCounts } from './wrong-counts.ts'

export interface Rounds {
  /** In `npm test`; 0 by default. */
  readonly taste?: number
  /** In `npm run faults`. */
  readonly short: number
  /** In `npm run faults -- --long`. */
  readonly long: number
  /** Each round of `taste`, too, runs with one transaction per thread, and once more with one per task. */
  readonly bothScopes?: true
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
  /** The longest time in which the group committed nothing although there was input; null where it was not measured. */
  readonly stalledMs: number | null
  /** What came of the faults, where they may end in different ways: how many by outcome. */
  readonly outcomes?: Readonly<Record<string, number>>
}

type Outcome = Omit<FaultResult, 'row' | 'case' | 'round' | 'seed' | 'seconds' | 'revision'>

const column = columns.find((name) => name === (process.env.FAULT_COLUMN ?? 'taste'))
const fixedSeed = process.env.FAULT_SEED
const defaultTimeoutMs = 120_000
/** A round that hangs is given up so long before vitest would end the test, so that it stands in the results. */
const givenUpEarlierMs = 3000

/** Declares the rounds of one case of a row. `run` rejects where a count is wrong or a limit of the row is not kept. */
export function faultRounds(
  row: string,
  faultCase: string,
  rounds: Rounds,
  run: (round: Round) => Promise<Figures>,
): void {
  if (column === undefined) throw new Error(`FAULT_COLUMN must be one of ${columns.join()}`)
  const passed = column === 'long' ? passedRounds(row, faultCase) : new Set<number>()
  const numbers = Array.from({ length: rounds[column] ?? 0 }, (_, index) => index + 1)
  const open = numbers.filter((number) => !passed.has(number))
  const timeoutMs = rounds.timeoutMs ?? defaultTimeoutMs
  const runRound = async (number: number, scope: TransactionScope): Promise<void> => {
    setDefaultScope(scope)
    const seed = fixedSeed === undefined ? new Xoshiro128(seedOfNow()).uint32() : Number(fixedSeed)
    const start = systemClock.monotonic()
    const finish = (outcome: Outcome): void => {
      // With a seed that was given, a round repeats another one and is none of its own.
      if (column !== 'long' || fixedSeed !== undefined) return
      const seconds = Math.round((systemClock.monotonic() - start) / 100) / 10
      appendResult({ row, case: faultCase, round: number, seed, seconds, revision, ...outcome })
    }
    try {
      const round = { column, number, seed, random: new Xoshiro128(seed) }
      const figures = await inTime(run(round), timeoutMs - givenUpEarlierMs)
      finish({ passed: true, wrong: 0, ...figures })
    } catch (error) {
      const wrong = error instanceof WrongCounts ? error.wrong : 0
      finish({ passed: false, wrong, error: String(error).slice(0, 500) })
      throw new Error(`FAULT_SEED=${seed}: ${String(error)}`, { cause: error })
    }
  }
  describe.skipIf(open.length === 0)(row, () => {
    test.each(open.flatMap((number) => scopesOf(number, rounds)))(
      `${faultCase}, round %i, one transaction per %s`,
      runRound,
      timeoutMs,
    )
  })
  // A file without tests is an error for vitest.
  if (open.length === 0) test.skip(`${row}: ${faultCase}: ${noOpenRound}`, () => expect.unreachable())
}

function scopesOf(number: number, { bothScopes }: Rounds): [number, TransactionScope][] {
  if (column === 'long') return [[number, number % 2 === 1 ? 'thread' : 'task']]
  const isBoth = column === 'short' || bothScopes === true
  const scopes: TransactionScope[] = isBoth ? ['thread', 'task'] : ['thread']
  return scopes.map((scope) => [number, scope])
}

/** In the name of what stands for a case that has nothing to run in the column. */
export const noOpenRound = 'no open round in this column'

async function inTime<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  let cancel = (): void => {}
  const late = new Promise<never>((_, reject) => {
    const giveUp = (): void => reject(new Error(`it hangs: not at its end after ${timeoutMs} ms`))
    cancel = systemClock.setTimer(timeoutMs, giveUp)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    cancel()
  }
}

function seedOfNow(): number {
  return Number.parseInt(systemRandom.id().slice(0, 7), 36) || systemClock.now()
}
