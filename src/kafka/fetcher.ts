/**
 * Reads partitions ahead of whoever processes them.
 *
 *   1. A partition is asked for while it is neither paused nor holds a chunk that nobody has taken. So the next answer is
 *      under way while the last one is processed, and what is held is at most one chunk per partition. The more partitions there are,
 *      the smaller the chunks: together they are at most as large as one answer, or 64 KB each.
 *   2. Each leader has two lanes. On the tail lane waits a request for the partitions that are read to their end, until
 *      something new is there. The other lane is for partitions that are behind, which are answered at once; and it bridges: a
 *      partition that could not be part of the waiting request is asked for in short waits until that one is back. So no
 *      partition waits for another one's silence.
 *   3. `seek` makes a new reading; an answer to an older one finds that and is dropped.
 *   4. Positions move by what was fetched, also where nothing of it may be seen.
 *   5. Passing troubles are tried again after a back-off and fresh metadata; lasting ones end the reading.
 */
import { CodedError, coded } from '../errors.ts'
import type { FetchedRecords, Fetcher, FetcherOptions, TopicPartition } from '../ports/kafka.ts'
import { brokerError } from './broker-errors.ts'
import { requestTimeoutMs } from './cluster.ts'
import { type PortContext, partitionKey } from './context.ts'
import { Reading } from './reading.ts'
import { committedRecords } from './records/committed-records.ts'
import { type Apis, kafkaError } from './wire/wire.ts'

const defaults = {
  maxBytesPerPartition: 1024 * 1024,
  maxBytes: 16 * 1024 * 1024,
  maxWaitMs: 250,
  isCompacted: false,
}
/** A fetch that brings less is not worth its round trip. */
const fewestBytesPerPartition = 64 * 1024
/** How long a request on the catch-up lane may wait: not long, as partitions that come later wait for it. */
const bridgeWaitMs = 20
const answerSlackMs = 10_000

type Lane = 'catchUp' | 'tail'
type PartitionAnswer = Apis['Fetch']['answer']['partitions'][number]

export class PartitionFetcher implements Fetcher {
  private readonly context: PortContext
  private readonly limits: Required<FetcherOptions>
  private readonly lanes: Readonly<Record<Lane, string>>
  private readonly readings = new Map<string, Reading>()
  /** Readings that hold a chunk, in order of arrival. */
  private arrived: Reading[] = []
  private failures: { readonly reading: Reading; readonly failure: CodedError }[] = []
  private readonly listeners: (() => void)[] = []
  private readonly busy = new Set<string>()
  private readonly underWay = new Set<Promise<void>>()
  private lookingUp = false
  private rotation = 0
  private cancelTimer: (() => void) | null = null
  private closed = false

  constructor(context: PortContext, options: FetcherOptions) {
    this.context = context
    this.limits = { ...defaults, ...options }
    this.lanes = { catchUp: context.lanes.take('fetch'), tail: context.lanes.take('fetch') }
  }

  seek(partition: TopicPartition, offset: number): void {
    this.remove(partition)
    const { random } = this.context
    const { isCompacted } = this.limits
    this.readings.set(partitionKey(partition), new Reading(partition, offset, { random, isCompacted }))
    this.pump()
  }

  remove(partition: TopicPartition): void {
    const key = partitionKey(partition)
    const removed = this.readings.get(key)
    this.arrived = this.arrived.filter((reading) => reading !== removed)
    this.failures = this.failures.filter(({ reading }) => reading !== removed)
    this.readings.delete(key)
  }

  pause(partition: TopicPartition): void {
    const reading = this.readings.get(partitionKey(partition))
    if (reading !== undefined) reading.paused = true
  }

  resume(partition: TopicPartition): void {
    const reading = this.readings.get(partitionKey(partition))
    if (reading === undefined || !reading.paused) return
    reading.paused = false
    this.pump()
    if (reading.unread !== null) this.notify()
  }

  poll(): FetchedRecords | null {
    const reading = this.arrived.find((candidate) => !candidate.paused)
    const chunk = reading?.take() ?? null
    if (chunk === null) return null
    this.arrived = this.arrived.filter((candidate) => candidate !== reading)
    this.pump()
    return chunk
  }

  onArrival(listener: () => void): void {
    this.listeners.push(listener)
  }

  throwFailure(): void {
    const failed = this.failures.shift()
    if (failed !== undefined) throw failed.failure
  }

  lastStableOffset(partition: TopicPartition): number | null {
    return this.readings.get(partitionKey(partition))?.lastStableOffset ?? null
  }

  currentAt(partition: TopicPartition): number | null {
    return this.readings.get(partitionKey(partition))?.currentAt ?? null
  }

  position(partition: TopicPartition): number {
    const reading = this.readings.get(partitionKey(partition))
    if (reading !== undefined) return reading.position
    throw new CodedError('INTERNAL', {
      operation: 'Fetcher.position',
      ...partition,
      detail: 'The partition is not being read.',
    })
  }

  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    this.cancelTimer?.()
    this.readings.clear()
    this.arrived = []
    // A lane is free for the next fetcher when nothing on it is held back any more; nobody needs to wait for that.
    void Promise.all(this.underWay).then(() => {
      for (const lane of Object.values(this.lanes)) this.context.lanes.release(lane)
    })
  }

  /** Sends what can be sent now. */
  private pump(): void {
    if (this.closed) return
    this.cancelTimer?.()
    this.cancelTimer = null
    const now = this.context.clock.monotonic()
    const waiting = [...this.readings.values()].filter((reading) => reading.wantsFetch)
    const due = waiting.filter((reading) => reading.notBefore <= now)
    const byLeader = Map.groupBy(due, (reading) => this.context.cluster.leaderIfKnown(reading.partition))
    for (const [nodeId, readings] of byLeader) {
      if (nodeId === null) this.lookUpLeaders(readings)
      else this.dispatch(nodeId, readings)
    }
    const later = waiting.map((reading) => reading.notBefore).filter((notBefore) => notBefore > now)
    if (later.length === 0) return
    this.cancelTimer = this.context.clock.setTimer(Math.min(...later) - now, () => this.pump())
  }

  private dispatch(nodeId: number, readings: readonly Reading[]): void {
    const atEnd = readings.filter((reading) => reading.isAtEnd)
    const behind = readings.filter((reading) => !reading.isAtEnd)
    const tailIsFree = !this.busy.has(`${nodeId}/tail`)
    if (tailIsFree && atEnd.length > 0) this.start(nodeId, 'tail', atEnd, this.limits.maxWaitMs)
    const rest = tailIsFree ? behind : [...behind, ...atEnd]
    if (rest.length === 0 || this.busy.has(`${nodeId}/catchUp`)) return
    // Whether a new reading is behind is not known yet: its first answer should say so at once.
    const someAreNew = rest.some((reading) => reading.lastStableOffset === null)
    this.start(nodeId, 'catchUp', rest, someAreNew ? 0 : Math.min(bridgeWaitMs, this.limits.maxWaitMs))
  }

  private start(nodeId: number, lane: Lane, readings: readonly Reading[], maxWaitMs: number): void {
    const busy = `${nodeId}/${lane}`
    this.busy.add(busy)
    for (const reading of readings) reading.inFlight = true
    // Brokers fill an answer from the front: everybody is in front in turn.
    const first = this.rotation++ % readings.length
    const turned = [...readings.slice(first), ...readings.slice(0, first)]
    const fetching = this.fetch(nodeId, lane, turned, maxWaitMs).finally(() => {
      this.busy.delete(busy)
      for (const reading of readings) reading.inFlight = false
      this.underWay.delete(fetching)
      // A turn later, so that what the listeners have taken is asked for in the same request.
      void this.context.clock.yield().then(() => this.pump())
    })
    this.underWay.add(fetching)
  }

  /** One chunk of each partition is held at the most: so many partitions share the bytes of one answer. */
  private get bytesPerPartition(): number {
    const { maxBytes, maxBytesPerPartition } = this.limits
    const share = Math.floor(maxBytes / Math.max(1, this.readings.size))
    return Math.min(maxBytesPerPartition, Math.max(fewestBytesPerPartition, share))
  }

  private async fetch(nodeId: number, lane: Lane, readings: readonly Reading[], maxWaitMs: number) {
    const { maxBytes } = this.limits
    const perPartition = this.bytesPerPartition
    const request = {
      maxWaitMs,
      minBytes: 1,
      maxBytes,
      partitions: readings.map(({ partition, position }) => ({
        ...partition,
        offset: position,
        maxBytes: perPartition,
      })),
    }
    const options = { timeoutMs: maxWaitMs + answerSlackMs, lane: this.lanes[lane] }
    const askedAt = this.context.clock.monotonic()
    try {
      const answer = await this.context.wire.send(nodeId, 'Fetch', request, options)
      if (answer.errorCode !== kafkaError.NONE) throw brokerError(answer.errorCode, { operation: 'Fetch' })
      const partitions = new Map(answer.partitions.map((partition) => [partitionKey(partition), partition]))
      for (const reading of readings) {
        const isFirst = reading === readings[0]
        this.accept(reading, partitions.get(partitionKey(reading.partition)), { isFirst, askedAt })
      }
    } catch (error) {
      for (const reading of readings) this.failed(reading, coded(error, 'Fetch'))
    }
  }

  private async accept(
    reading: Reading,
    answer: PartitionAnswer | undefined,
    { isFirst, askedAt }: { isFirst: boolean; askedAt: number },
  ): Promise<void> {
    if (!this.isCurrent(reading)) return
    if (answer === undefined) {
      // A broker that throttles this client leaves partitions out.
      reading.delay(this.context.clock.monotonic())
      return
    }
    try {
      if (answer.errorCode !== kafkaError.NONE) {
        throw brokerError(answer.errorCode, {
          operation: 'Fetch',
          ...reading.partition,
          offset: reading.position,
        })
      }
      const chunk = committedRecords({ ...answer, fetchOffset: reading.position })
      const hasBytes = answer.records.length > 0
      const news = reading.accept(chunk, { mustHaveRecords: isFirst, hasBytes, askedAt })
      if (reading.unread !== null) this.arrived.push(reading)
      if (news) this.notify()
    } catch (error) {
      this.failed(reading, coded(error, 'Fetch'))
    }
  }

  private failed(reading: Reading, failure: CodedError): void {
    if (!this.isCurrent(reading)) return
    this.context.cluster.forgetLeader(reading.partition)
    const now = this.context.clock.monotonic()
    if (reading.endures(failure, now)) {
      this.context.log.debug({ error: failure, ...reading.partition }, 'a fetch failed; it is tried again')
      return
    }
    reading.failed = true
    this.failures.push({ reading, failure })
    this.notify()
  }

  private lookUpLeaders(readings: readonly Reading[]): void {
    if (this.lookingUp) return
    this.lookingUp = true
    const { cluster } = this.context
    const lookUp = async () => {
      try {
        await cluster.byLeader(
          readings.map((reading) => reading.partition),
          requestTimeoutMs,
        )
      } catch (error) {
        const failure = coded(error, 'find the leader')
        for (const reading of readings) {
          if (cluster.leaderIfKnown(reading.partition) !== null) continue
          this.failed(reading, this.leaderless(reading, failure))
        }
      }
    }
    const lookingUp = lookUp().finally(() => {
      this.lookingUp = false
      this.underWay.delete(lookingUp)
      this.pump()
    })
    this.underWay.add(lookingUp)
  }

  /** `byLeader` fails for the first partition; each of the others has its own reason. */
  private leaderless(reading: Reading, failure: CodedError): CodedError {
    if (failure.code !== 'TOPIC_MISSING') return failure
    const code = this.context.cluster.isKnown(reading.partition) ? 'KAFKA_RETRIABLE' : 'TOPIC_MISSING'
    return new CodedError(code, { operation: 'find the leader', ...reading.partition, cause: failure })
  }

  private isCurrent(reading: Reading): boolean {
    return this.readings.get(partitionKey(reading.partition)) === reading
  }

  private notify(): void {
    for (const listener of this.listeners) listener()
  }
}
