/** One sequence on both brokers, up to the first step in which they differ. */
import { uniquePrefix } from '../../support/broker.ts'
import type { Command } from './commands.ts'
import type { Described, Step } from './conversation.ts'
import { realParty, simulatedParty } from './party.ts'
import { Player } from './player.ts'
import type { Release } from './release.ts'

type Answers = readonly Described[]

export interface Comparison {
  /** Steps that had the same answers. */
  readonly steps: number
  readonly answers: number
  /** The brokers went apart where Kafka is free to. */
  readonly isCut: boolean
  readonly difference: Difference | null
}

export interface Difference {
  readonly at: number
  readonly command: Command
  readonly simulated: Answers
  readonly real: Answers
}

export async function compare(
  commands: readonly Command[],
  bootstrapServers: string,
  release: Release,
): Promise<Comparison> {
  const foretold = await playSimulated(commands, release)
  const player = new Player(await realParty(bootstrapServers), uniquePrefix('sequence'), release)
  let answers = 0
  try {
    await player.begin()
    for (const [at, command] of commands.entries()) {
      const { answers: simulated, ...foretoldStep } = foretold[at] as Step
      const { answers: real } = await player.step(command, { answers: simulated, ...foretoldStep })
      const same = { steps: at, answers, difference: null }
      answers += real.length
      if (JSON.stringify(real) === JSON.stringify(simulated)) continue
      if (isOtherLeader(real, simulated)) return { ...same, isCut: true }
      return { ...same, isCut: false, difference: { at, command, simulated, real } }
    }
    return { steps: commands.length, answers, isCut: false, difference: null }
  } finally {
    await player.end()
  }
}

async function playSimulated(commands: readonly Command[], release: Release): Promise<Step[]> {
  const player = new Player(simulatedParty(1), 'sequence', release)
  const steps: Step[] = []
  await player.begin()
  for (const command of commands) steps.push(await player.step(command, null))
  await player.end()
  return steps
}

/**
 * When a leader goes, Kafka takes the next one from a hash table of member ids, which are random. From there on the two brokers
 * tell different stories, and the sequence ends.
 */
function isOtherLeader(some: Answers, others: Answers): boolean {
  const first = some.findIndex((one, index) => JSON.stringify(one) !== JSON.stringify(others[index]))
  const [one, other] = [some[first], others[first]]
  if (one === undefined || other === undefined || one.leader === other.leader) return false
  return JSON.stringify(withoutLeader(one)) === JSON.stringify(withoutLeader(other))
}

function withoutLeader({ leader: _, members: __, ...rest }: Described): unknown {
  return rest
}
