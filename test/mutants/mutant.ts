import type { Planted } from './planting.ts'

export interface Mutant extends Planted {
  /** The mistake, as a reviewer would say it. */
  readonly says: string
  /** Seeds of the simulator that have found it; absent where the simulator makes no situation in which it shows. */
  readonly seeds?: readonly number[]
  /** It is wrong without any fault too: what is there in every run, such as aborted transactions in the input, is enough. */
  readonly failsCalm?: boolean
}
