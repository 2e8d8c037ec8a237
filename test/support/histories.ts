/**
 * Histories of overlapping transactions on one partition of an input, with a model of what is left of them. One history is some
 * twenty steps of four transactional producers, an idempotent one and a plain one: batches of every compression, with keys that
 * look like those of control records; commits, aborts, and producers that are fenced in the middle of a transaction. Most end their
 * transactions; some leave one open for the next history.
 */
import type { Compression } from '../../src/kafka/index.ts'
import type { Xoshiro128 } from '../../src/login-stats/generator/xoshiro128.ts'
import type { TopicPartition } from '../../src/ports/kafka.ts'
import { systemClock } from '../../src/system/clock.ts'
import { type ProducedRecord, WireProducer, type WireTarget } from './wire-producer.ts'

/** Logins by locale. */
export type Counts = Map<string, number>

const transactionalProducers = 4
const locales = 50
const compressions = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
/** As of abort and commit markers, of an unknown version, and of ordinary records. */
const keys = [
  null,
  null,
  Buffer.from([0, 0, 0, 0]),
  Buffer.from([0, 0, 0, 1]),
  Buffer.from([0, 1, 0, 0]),
  Buffer.from('key'),
] as const
const steps = [
  'send',
  'send',
  'send',
  'commit',
  'abort',
  'send',
  'send',
  'plain',
  'idempotent',
  'fence',
] as const

export class HistoryWriter {
  /** What is committed: all that a processor may count. */
  readonly counted: Counts = new Map()
  /** Records that were written and must not be counted. */
  dropped = 0
  readonly #random: Xoshiro128
  readonly #transactional: WireProducer[]
  readonly #open: Counts[]
  readonly #idempotent: WireProducer
  readonly #plain: WireProducer

  constructor(target: WireTarget, partition: TopicPartition, random: Xoshiro128) {
    this.#random = random
    const name = `${partition.topic}-${partition.partition}`
    this.#transactional = Array.from(
      { length: transactionalProducers },
      (_, index) => new WireProducer(target, partition, { transactionalId: `${name}-${index}` }),
    )
    this.#open = this.#transactional.map(() => new Map())
    this.#idempotent = new WireProducer(target, partition, 'idempotent')
    this.#plain = new WireProducer(target, partition, 'plain')
  }

  async init(): Promise<void> {
    for (const producer of [...this.#transactional, this.#idempotent]) await producer.init()
  }

  async write(): Promise<void> {
    for (let left = 12 + this.#random.below(16); left > 0; left--) await this.#step()
    for (let index = 0; index < transactionalProducers; index++)
      if (this.#random.chance(0.8)) await this.#end(index, this.#random.chance(0.5))
  }

  /** Ends every transaction, one of them by letting its time pass, if asked. */
  async close(withTimeout: boolean): Promise<void> {
    for (let index = 0; index < transactionalProducers; index++)
      await this.#end(index, this.#random.chance(0.5))
    if (!withTimeout) return
    await this.#transactional[0]?.init(1000)
    await this.#transactional[0]?.send(this.#records(new Map(), 3), 'none')
    this.dropped += 3
  }

  async #step(): Promise<void> {
    const index = this.#random.below(transactionalProducers)
    const count = 1 + this.#random.below(3)
    const compression: Compression = this.#random.pick(compressions)
    const open = this.#open[index] as Counts
    switch (this.#random.pick(steps)) {
      case 'send':
        return this.#transactional[index]?.send(this.#records(open, count), compression)
      case 'commit':
        return this.#end(index, true)
      case 'abort':
        return this.#end(index, false)
      case 'plain':
        return this.#plain.send(this.#records(this.counted, count), compression)
      case 'idempotent':
        return this.#idempotent.send(this.#records(this.counted, count), compression)
      case 'fence':
        this.#drop(open)
        return this.#transactional[index]?.init()
    }
  }

  async #end(index: number, commit: boolean): Promise<void> {
    const open = this.#open[index] as Counts
    if (commit) for (const [locale, count] of open) add(this.counted, locale, count)
    if (commit) open.clear()
    else this.#drop(open)
    await this.#transactional[index]?.end(commit)
  }

  #drop(open: Counts): void {
    for (const count of open.values()) this.dropped += count
    open.clear()
  }

  #records(counts: Counts, count: number): ProducedRecord[] {
    const timestamp = Math.floor(systemClock.now() / 1000)
    return Array.from({ length: count }, () => {
      const locale = `L${this.#random.below(locales)}`
      add(counts, locale, 1)
      const value = Buffer.from(JSON.stringify({ user_id: 'a', locale, timestamp }))
      return { key: this.#random.pick(keys), value }
    })
  }
}

export function add(counts: Counts, locale: string, count: number): void {
  counts.set(locale, (counts.get(locale) ?? 0) + count)
}
