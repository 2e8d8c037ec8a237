import type { RecordView } from '../../ports/kafka.ts'
import { StoreKey } from '../store/store-key.ts'
import type { StateStore } from '../store/types.ts'
import type { Processor, ProcessorContext, SinkHandle } from '../topology/processor.ts'
import type { Aggregate } from './aggregate.ts'
import { readOrigin } from './origin.ts'
import { decodePartial } from './partial.ts'

/** At least so long between two passes that emit what has changed with time alone. */
const decayIntervalMs = 1000
/** Keys handled in one step of such a pass. */
const decayBatch = 500
/** States are kept decoded between commits up to so many bytes, about. */
const maxCachedBytes = 8 << 20
/** What a decoded state takes beside its encoded bytes, about: with its key, its name and its place in the map. */
const stateOverheadInBytes = 400

interface CachedState<State> {
  readonly key: StoreKey
  readonly state: State
  /** Stream time at which the key's timer fires; null for none. */
  timer: number | null
  isDirty: boolean
  /** Bytes held, about, by what the state took when it was last encoded. */
  size: number
}

/**
 * The format of an entry of an aggregate's store: the time of the key's timer (8 bytes, big-endian, ms; 0 for none), then
 * the encoded state. The timer is the store's index, so that decay never scans the store.
 */
const timerBytes = 8

/** The encoded state in an entry of an aggregate's store. */
export function stateOfEntry(entry: Buffer): Buffer {
  return entry.subarray(timerBytes)
}

/** The index of an aggregate's store: the key's timer. */
export function timerIndex(_key: Buffer, value: Buffer): Buffer | null {
  return readTimer(value) === 0 ? null : value.subarray(0, timerBytes)
}

const highWord = 0x1_0000_0000

function readTimer(entry: Buffer): number {
  return entry.readUInt32BE(0) * highWord + entry.readUInt32BE(4)
}

function writeTimer(entry: Buffer, time: number): void {
  if (!(time >= 0 && Number.isSafeInteger(time))) throw new RangeError(`Not a stream time in ms: ${time}`)
  entry.writeUInt32BE(Math.floor(time / highWord), 0)
  entry.writeUInt32BE(time % highWord, 4)
}

/**
 * The second stage of an aggregate: adds the partials of each key to its state in the store, and at each commit emits one
 * record per touched key. A key whose output changes as time goes by is emitted again when its timer fires.
 */
export class AggregateProcessor<Delta, State> implements Processor<RecordView> {
  readonly #context: ProcessorContext
  readonly #aggregate: Aggregate<Delta, State>
  readonly #sink: SinkHandle
  readonly #store: StateStore
  readonly #cache = new Map<string, CachedState<State>>()
  #dirty: CachedState<State>[] = []
  #dirtyBytes = 0
  #cachedBytes = 0
  #decayedAt = Number.NEGATIVE_INFINITY
  #decayedTo: number | null = null

  constructor(context: ProcessorContext, aggregate: Aggregate<Delta, State>, options: { sink: string }) {
    this.#context = context
    this.#aggregate = aggregate
    this.#sink = context.sink(options.sink)
    this.#store = context.store()
  }

  process(record: RecordView): void {
    const { bytes } = record
    const { header, deltaStart } = decodePartial(bytes, record.valueStart, record.valueEnd)
    this.#context.readPartial(header)
    if (header.isLast) this.#noteOrigin(record)
    const streamTime = this.#context.streamTime()
    if (!header.hasDelta || streamTime === null) return
    const delta = this.#aggregate.decodeDelta(bytes.subarray(deltaStart, record.valueEnd))
    const cached = this.#lookUp(bytes.toString('latin1', record.keyStart, record.keyEnd))
    this.#aggregate.add(cached.state, delta, streamTime, cached.key.bytes)
    this.#markDirty(cached)
  }

  #noteOrigin(record: RecordView): void {
    const appendedAt = readOrigin(record.headers())
    if (appendedAt !== null) this.#context.noteOrigin(appendedAt)
  }

  /** Emits the keys whose timers have fired, at most once a second. */
  async punctuate(): Promise<boolean> {
    const streamTime = this.#context.streamTime()
    if (streamTime === null || streamTime === this.#decayedTo) return false
    const sinceDecay = this.#context.now() - this.#decayedAt
    // A wall clock that was set back must not stop the decay for as long.
    if (sinceDecay >= 0 && sinceDecay < decayIntervalMs) return false
    const due = await this.#store.indexed({ lt: timerKey(streamTime + 1), limit: decayBatch })
    for (const { key } of due) this.#markDirty(this.#lookUp(key.toString('latin1')))
    if (due.length > 0) {
      // The timers move with the flush; only then does the index show what is left.
      this.flush()
      return true
    }
    this.#decayedTo = streamTime
    this.#decayedAt = this.#context.now()
    return false
  }

  flush(): void {
    const streamTime = this.#context.streamTime()
    if (streamTime === null) return
    const now = this.#context.now()
    for (const cached of this.#dirty) {
      cached.timer = this.#nextTimer(cached, streamTime)
      const state = this.#aggregate.encodeState(cached.state)
      const entry = Buffer.allocUnsafe(timerBytes + state.length)
      writeTimer(entry, cached.timer ?? 0)
      state.copy(entry, timerBytes)
      this.#store.put(cached.key, entry)
      const { bytes } = cached.key
      this.#sink.send(bytes, this.#aggregate.emit(bytes, cached.state, streamTime), now)
      cached.isDirty = false
      const size = stateOverheadInBytes + entry.length
      this.#cachedBytes += size - cached.size
      cached.size = size
    }
    this.#dirty = []
    this.#dirtyBytes = 0
    this.#evict()
  }

  sizeInBytes(): number {
    return this.#dirtyBytes
  }

  /** A timer that is still ahead and early enough is kept, so that busy keys do not rewrite the index each commit. */
  #nextTimer(cached: CachedState<State>, streamTime: number): number | null {
    const next = this.#aggregate.nextChange(cached.state, streamTime)
    if (next === null) return null
    const { timer } = cached
    return timer !== null && timer > streamTime && timer <= next ? timer : next
  }

  #lookUp(name: string): CachedState<State> {
    const known = this.#cache.get(name)
    if (known !== undefined) return known
    const key = StoreKey.named(name)
    const entry = this.#store.get(key)
    const timer = entry === null ? 0 : readTimer(entry)
    const cached: CachedState<State> = {
      key,
      state:
        entry === null ? this.#aggregate.createState() : this.#aggregate.decodeState(stateOfEntry(entry)),
      timer: timer === 0 ? null : timer,
      isDirty: false,
      size: stateOverheadInBytes + (entry?.length ?? 0),
    }
    this.#cache.set(name, cached)
    this.#cachedBytes += cached.size
    return cached
  }

  #markDirty(cached: CachedState<State>): void {
    if (cached.isDirty) return
    cached.isDirty = true
    this.#dirty.push(cached)
    this.#dirtyBytes += cached.size
  }

  /** Nothing is dirty here: any state can be read again from the store. */
  #evict(): void {
    if (this.#cachedBytes <= maxCachedBytes) return
    this.#cache.clear()
    this.#cachedBytes = 0
  }
}

function timerKey(streamTime: number): Buffer {
  const key = Buffer.allocUnsafe(timerBytes)
  writeTimer(key, streamTime)
  return key
}
