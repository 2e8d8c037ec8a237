/** What happened in a run: how often each kind of thing, and a hash over all of it, by which two runs are known to be the same. */
import { fingerprintOf } from './broker/batches.ts'
import type { SimulatedBroker } from './broker/simulated-broker.ts'
import type { EventQueue } from './event-queue.ts'

/** Too frequent to be counted one by one. */
const uncounted: readonly string[] = ['request', 'step']

export class RunRecord {
  readonly counts: Record<string, number> = {}
  readonly #queue: EventQueue
  readonly #onNote: ((atMs: number, line: string) => void) | undefined
  readonly #lineHashes = new Map<string, number>()
  #hash = 0x811c9dc5

  constructor(queue: EventQueue, onNote?: (atMs: number, line: string) => void) {
    this.#queue = queue
    this.#onNote = onNote
  }

  readonly note = (what: string, ...details: (string | number)[]): void => {
    const line = `${what} ${details.join(' ')}`
    if (!uncounted.includes(what)) this.count(what)
    const { now } = this.#queue
    this.#onNote?.(now, line)
    this.#mix(Math.round(now * 1000))
    this.#mix(this.#hashOf(line))
  }

  count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1
  }

  /** Over everything noted, and all that is in the logs now. */
  hash({ topics }: SimulatedBroker): string {
    for (const { log } of topics.partitions())
      for (const { bytes } of log.batches) this.#mix(fingerprintOf(bytes))
    return (this.#hash >>> 0).toString(16).padStart(8, '0')
  }

  /** Most lines come again and again. */
  #hashOf(line: string): number {
    const known = this.#lineHashes.get(line)
    if (known !== undefined) return known
    let hash = 0x811c9dc5
    for (let at = 0; at < line.length; at++) hash = Math.imul(hash ^ line.charCodeAt(at), 0x01000193)
    this.#lineHashes.set(line, hash)
    return hash
  }

  #mix(value: number): void {
    this.#hash = Math.imul(this.#hash ^ value, 0x01000193)
  }
}
