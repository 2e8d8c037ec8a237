/**
 * An aggregate in two stages. The first folds records into deltas in memory, next to where they are read (the combiner); the
 * second adds the deltas of a key to its state, where the key lives. Deltas must add up in any order and grouping.
 */
export interface Aggregate<Delta, State> {
  createDelta(): Delta
  encodeDelta(delta: Delta): Buffer
  /** `bytes` is a view that is valid during the call only. */
  decodeDelta(bytes: Buffer): Delta
  createState(): State
  /** Adds `delta` to `state`, that of `key`, in place. `streamTime` in ms. */
  add(state: State, delta: Delta, streamTime: number, key: Buffer): void
  encodeState(state: State): Buffer
  decodeState(bytes: Buffer): State
  /** The earliest stream time (ms), later than `streamTime`, at which what is emitted changes by itself; null for never. */
  nextChange(state: State, streamTime: number): number | null
  /** What the outside shall see of `state` at `streamTime`. */
  emit(key: Buffer, state: State, streamTime: number): Buffer
}
