/**
 * Random operations, the same on the simulated and on the real broker, with the same answers: what the simulator says of Kafka is
 * held against Kafka.
 *
 *   CONTRACT_SEQUENCES   how many sequences; by default as few as `npm test` has time for
 *   CONTRACT_SEED        the seed to draw them from, or `random`. By default each run plays the same sequences: one in some hundreds finds
 *                        that brokers differ in a corner, and that is looked for on purpose, with `random` and many sequences
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/system/clock.ts'
import { bootstrapServers } from '../support/broker.ts'
import { type Command, sequences } from './sequences/commands.ts'
import { compare } from './sequences/compare.ts'
import { found } from './sequences/found.ts'
import { releaseOf } from './sequences/release.ts'

const count = Number(process.env.CONTRACT_SEQUENCES ?? 30)
const release = releaseOf(process.env.KAFKA_VERSION)
const wantedSeed = process.env.CONTRACT_SEED ?? '1'
const seed = wantedSeed === 'random' ? systemClock.now() & 0x7fff_ffff : Number(wantedSeed)
/** For finding a shorter sequence with a difference. */
const shrinkingMs = 60_000

test.each(Object.entries(found))('%s: on both brokers', async (_, commands) => {
  const { steps, difference } = await compare(commands, bootstrapServers(), release)
  expect(difference).toBe(null)
  expect(steps).toBe(commands.length)
})

test(`${count} random sequences of operations have the same answers on both brokers`, {
  timeout: 60_000 + shrinkingMs + count * 2000,
}, async () => {
  console.log(`CONTRACT_SEED=${seed} CONTRACT_SEQUENCES=${count}`)
  const figures = { sequences: 0, commands: 0, answers: 0, cut: 0, notRepeated: 0 }
  let firstDifferenceAt: number | null = null
  const isSame = async (commands: readonly Command[]): Promise<void> => {
    if (firstDifferenceAt !== null && systemClock.monotonic() - firstDifferenceAt > shrinkingMs) return
    let compared = await compare(commands, bootstrapServers(), release)
    if (compared.difference !== null) {
      // A machine that stands still for a while makes answers late; what brokers do differently, they do each time.
      const again = await compare(commands, bootstrapServers(), release)
      if (again.difference === null) {
        figures.notRepeated++
        console.log(`Not repeated: ${JSON.stringify(compared.difference)} in ${JSON.stringify(commands)}`)
      }
      compared = again
    }
    figures.sequences++
    figures.commands += compared.steps
    figures.answers += compared.answers
    if (compared.isCut) figures.cut++
    const { difference } = compared
    if (difference === null) return
    firstDifferenceAt ??= systemClock.monotonic()
    const { at, command, real, simulated } = difference
    expect(real, `step ${at}, ${JSON.stringify(command)}`).toEqual(simulated)
  }
  await fc.assert(fc.asyncProperty(sequences, isSame), { seed, numRuns: count })
  console.log(JSON.stringify(figures))
  expect(figures.commands).toBeGreaterThan(0)
})
