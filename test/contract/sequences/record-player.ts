/** Records and offsets: read, listed, deleted. */
import { describeRecords } from './batches.ts'
import type { Command } from './commands.ts'
import { type Answer, type Conversation, one, timeoutMs } from './conversation.ts'
import type { Names } from './names.ts'
import type { Release } from './release.ts'

/** Longer than a sequence takes. */
const longMs = 45_000

export class RecordPlayer {
  readonly #conversation: Conversation
  readonly #names: Names
  readonly #release: Release
  readonly #labelOfProducer: (producerId: bigint) => string
  /** Partitions on which a fetch was, or still is, held. */
  readonly #watched = new Set<number>()

  constructor(
    conversation: Conversation,
    names: Names,
    release: Release,
    labelOfProducer: (producerId: bigint) => string,
  ) {
    this.#conversation = conversation
    this.#names = names
    this.#release = release
    this.#labelOfProducer = labelOfProducer
  }

  async fetch(command: Extract<Command, { op: 'Fetch' }>): Promise<void> {
    const { partitions: roles, back, maxBytes, partitionMaxBytes, isHeld } = command
    // Markers of a transaction reach its partitions one by one: with which of them a held fetch is answered is anybody's guess.
    const wanted = roles.slice(0, isHeld ? 1 : 2).map((role) => this.#names.partition(role))
    const listed = await this.#listed(wanted, 1, -1)
    const partitions = wanted.map(({ topic, partition }) => {
      const found = listed.find((one) => one.topic === topic && one.partition === partition)
      const offset = Math.max(0, (found?.offset ?? 0) - back)
      return { topic, partition, offset, maxBytes: partitionMaxBytes }
    })
    // Whether a fetch from beyond the last stable offset is held depends on where the batches lie in the file.
    const isBeyond = back < 0
    const describe = (answer: Answer<'Fetch'>) => () => ({
      errorCode: answer.errorCode,
      ...this.#names.describePartitions(answer.partitions, (partition) => this.#describeFetched(partition)),
    })
    const willWait = isHeld && !isBeyond
    const request = { maxWaitMs: willWait ? longMs : 0, minBytes: 1, maxBytes, partitions }
    if (willWait) {
      this.#watched.add(roles[0] ?? 0)
      return this.#conversation.hold('Fetch', request, describe)
    }
    const answer = await this.#conversation.send('Fetch', request, 'fetch')
    this.#conversation.answered('Fetch', describe(answer))
  }

  #describeFetched(fetched: Answer<'Fetch'>['partitions'][number]): Readonly<Record<string, unknown>> {
    const { highWatermark, lastStableOffset, logStartOffset, abortedTransactions, records } = fetched
    const { batches, end } = describeRecords(records, (id) => this.#labelOfProducer(id))
    const aborted = abortedTransactions
      // A broker may look further than it reads, as far as its index of offsets is coarse.
      .filter(({ firstOffset }) => firstOffset < end)
      .map(({ producerId, firstOffset }) => `${this.#labelOfProducer(producerId)} from ${firstOffset}`)
    const stable = this.#release.stableBeforeLogStart
      ? lastStableOffset
      : Math.max(lastStableOffset, logStartOffset)
    return { highWatermark, lastStableOffset: stable, logStartOffset, aborted, batches }
  }

  async listOffsets(command: Extract<Command, { op: 'ListOffsets' }>): Promise<void> {
    const { partitions, isolationLevel, timestamp } = command
    const wanted = partitions.map((role) => this.#names.partition(role))
    const listed = await this.#listed(wanted, isolationLevel, timestamp)
    this.#conversation.answered('ListOffsets', () =>
      this.#names.describePartitions(listed, ({ offset }) => ({ offset })),
    )
  }

  async #listed(
    wanted: readonly { readonly topic: string; readonly partition: number }[],
    isolationLevel: 0 | 1,
    timestamp: number,
  ): Promise<Answer<'ListOffsets'>['partitions']> {
    const list = (what: number) =>
      this.#conversation.send('ListOffsets', {
        isolationLevel,
        partitions: wanted.map((partition) => ({ ...partition, timestamp: what })),
      })
    const { partitions } = await list(timestamp)
    if (this.#release.stableBeforeLogStart || isolationLevel === 0 || timestamp !== -1) return partitions
    const starts = (await list(-2)).partitions
    const startOf = ({ topic, partition }: { readonly topic: string; readonly partition: number }) =>
      starts.find((one) => one.topic === topic && one.partition === partition)?.offset ?? -1
    return partitions.map((listed) => ({ ...listed, offset: Math.max(listed.offset, startOf(listed)) }))
  }

  async deleteRecords({ partition, offset }: Extract<Command, { op: 'DeleteRecords' }>): Promise<void> {
    // When a held fetch notices that its records are gone depends on where the batches lie in the file.
    if (this.#watched.has(partition)) return
    const partitions = [{ ...this.#names.partition(partition), offset }]
    const answer = await this.#conversation.send('DeleteRecords', { partitions, timeoutMs })
    this.#conversation.answered('DeleteRecords', () => this.#names.describePartitions(answer.partitions))
  }

  async offsets(partitions: readonly number[], requireStable: boolean): Promise<void> {
    const request = { groupId: this.#names.groupId, topics: this.#names.byTopic(partitions), requireStable }
    const answer = await this.#conversation.settled('OffsetFetch', request, one)
    this.#conversation.answered('OffsetFetch', () => ({
      errorCode: answer.errorCode,
      ...this.#names.describePartitions(answer.partitions, ({ offset, metadata }) => ({ offset, metadata })),
    }))
  }
}
