import type { Moment } from '../measure/course.ts'
import type { Session } from '../session.ts'
import type { System, SystemName } from '../systems/index.ts'

/** How much is measured. */
export interface Scale {
  /** In the backlog of the first rows; others have a share of it. */
  readonly logins: number
  /** Seconds of steady load before and while latencies are measured. */
  readonly warmUpSeconds: number
  readonly latencySeconds: number
  /** Only the ends of what grows. */
  readonly quick: boolean
}

export interface Measured {
  /** By metric; units are in the metrics' names. */
  readonly values: Readonly<Record<string, number>>
  /** What the system has counted, where every system must count the same. */
  readonly counts: ReadonlyMap<string, number> | null
  /** What went on meanwhile, where a plot shows it. */
  readonly course?: readonly Moment[]
}

export interface Row {
  readonly name: string
  readonly title: string
  /** One paragraph: what is measured, and how. */
  readonly about: string
  readonly systems: readonly SystemName[]
  /** What the variants are numbers of; absent where nothing varies. */
  readonly axis?: string
  /** What is measured one after the other; one empty name where nothing varies. */
  variants(scale: Scale): readonly string[]
  measure(session: Session, system: System, variant: string, scale: Scale): Promise<Measured>
}

export const noVariants = (): readonly string[] => ['']
