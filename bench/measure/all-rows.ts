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

/** Of the logins of the first row. */
const warmUpShare = 0.2

/** Runs the systems of the first row once on a smaller input and drops what comes out: a broker that has just started is slow. */
export async function warmUp(
  session: Session,
  { rows, systems, scale }: Pick<Plan, 'rows' | 'systems' | 'scale'>,
): Promise<void> {
  const [row] = rows
  const [variant] = row?.variants(scale) ?? []
  if (row === undefined || variant === undefined) return
  const smaller = { ...scale, logins: Math.round(scale.logins * warmUpShare) }
  for (const system of systems.filter(({ name }) => row.systems.includes(name))) {
    await row.measure(session, system, variant, smaller)
  }
}

function rotated<T>(list: readonly T[], by: number): T[] {
  const start = list.length === 0 ? 0 : by % list.length
  return [...list.slice(start), ...list.slice(0, start)]
}
