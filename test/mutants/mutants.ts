/**
 * The planted faults: each breaks one rule of exactly-once, and must be caught: by the simulator (`in-the-simulation.test.ts`), and
 * where a fault on a real broker can show it, by that (`on-a-broker.test.ts`).
 *
 * A mutant is data. Its edits change texts of the sources while they are loaded (`plant.ts`); the program itself has no switch
 * for any of them.
 */
import { furtherMutants } from './further-mutants.ts'
import { listedMutants } from './listed-mutants.ts'
import type { Mutant } from './mutant.ts'
import { oftenPurged, withoutCachedStates } from './shared-edits.ts'

export const mutants: readonly Mutant[] = [...listedMutants, ...furtherMutants]

/** Edits that change nothing but how often something is put to the test: these programs are right, and must pass. */
export const controls: readonly Mutant[] = [
  {
    name: 'control-no-cached-states',
    says: 'every state is read from the store',
    edits: [withoutCachedStates],
  },
  { name: 'control-often-purged', says: 'the repartition topic is purged often', edits: [oftenPurged] },
]

export function findMutant(name: string): Mutant {
  const found = [...mutants, ...controls].find((mutant) => mutant.name === name)
  if (found !== undefined) return found
  throw new Error(
    `There is no mutant ${JSON.stringify(name)}; there are ${mutants.map((one) => one.name).join(', ')}.`,
  )
}
