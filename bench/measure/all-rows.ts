/**
 * Measures rows: repeat by repeat, in each the variants one after the other, and in each of these all systems, so that none of them
 * has the machine in a better hour than the others; who goes first changes from repeat to repeat.
 */
import type { Measurement } from '../report/results.ts'
import type { Row, Scale } from '../rows/index.ts'
import type { Session } from '../session.ts'
import type { System } from '../systems/index.ts'
import { differenceOf } from './same-counts.ts'

export interface Plan {
  readonly rows: readonly Row[]
  readonly systems: readonly System[]
  readonly scale: Scale
  readonly repeats: number
  isStopped(): boolean
  onMeasured(measurement: Measurement): void
}

export async function measureRows(session: Session, plan: Plan): Promise<void> {
  for (const row of plan.rows) {
    const systems = plan.systems.filter(({ name }) => row.systems.includes(name))
    const reference = new Map<
      string,
      { readonly name: string; readonly counts: ReadonlyMap<string, number> }
    >()
    for (let repeat = 1; repeat <= plan.repeats; repeat++) {
      for (const variant of row.variants(plan.scale)) {
        for (const system of rotated(systems, repeat - 1)) {
          if (plan.isStopped()) return
          const place = { row: row.name, variant, system: system.name, repeat }
          try {
            const { values, counts, course } = await row.measure(session, system, variant, plan.scale)
            if (counts !== null) {
              const own = { name: system.title, counts }
              const first = reference.get(variant) ?? own
              reference.set(variant, first)
              const difference = differenceOf(first, own)
              if (difference !== null) throw new Error(difference)
            }
            plan.onMeasured({ ...place, values, ...(course === undefined ? {} : { course }) })
          } catch (error) {
            plan.onMeasured({
              ...place,
              values: {},
              failure: error instanceof Error ? error.message : String(error),
            })
          }
        }
      }
    }
  }
}

function rotated<T>(list: readonly T[], by: number): T[] {
  const start = list.length === 0 ? 0 : by % list.length
  return [...list.slice(start), ...list.slice(0, start)]
}
