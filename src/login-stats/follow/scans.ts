/**
 * Looks at all rows of one table. Where they are on disk a look takes seconds and much of the processor, so there are few at once:
 *
 *   1. Equal questions share the look that is under way or waits.
 *   2. `scans` look at once; further ones wait for their turn, first come, first served.
 *   3. Beyond `waitingScans` that wait, a question is refused at once: later ones would wait in vain.
 */
import fastq, { type queueAsPromised } from 'fastq'
import { CodedError } from '../../errors.ts'
import type { Limits } from '../limits.ts'

type Scan = () => Promise<unknown>

export class Scans {
  readonly #limits: Pick<Limits, 'scans' | 'waitingScans'>
  readonly #queue: queueAsPromised<Scan, unknown>
  readonly #underWay = new Map<string, Promise<unknown>>()

  constructor(limits: Pick<Limits, 'scans' | 'waitingScans'>) {
    this.#limits = limits
    this.#queue = fastq.promise((scan: Scan) => scan(), limits.scans)
  }

  /** What `scan` finds, in its turn. `question` names all that the answer depends on. Throws TABLE_BUSY. */
  async run<T>(question: string, scan: () => Promise<T>): Promise<T> {
    const shared = this.#underWay.get(question)
    if (shared !== undefined) return (await shared) as T
    const { scans, waitingScans } = this.#limits
    if (this.#queue.running() >= scans && this.#queue.length() >= waitingScans) {
      const detail = `${scans} look at all its rows, and ${waitingScans} wait for that.`
      throw new CodedError('TABLE_BUSY', { operation: 'look at all rows of the table', detail })
    }
    const asked = this.#queue.push(scan)
    this.#underWay.set(question, asked)
    try {
      return (await asked) as T
    } finally {
      this.#underWay.delete(question)
    }
  }
}
