import { databaseKey, keySpace } from './envelope.ts'
import { indexEntryKey } from './index-entry.ts'
import type { StoreKey } from './store-key.ts'
import type { ChangelogWrite, IndexKeyOf } from './types.ts'

/**
 * The writes that are not in the database yet, in two layers: `frozen` holds those of the transaction that is being
 * committed, `current` those made since. Found by the names of keys, whose order is that of the bytes.
 */
export interface OverlayEntry {
  readonly key: StoreKey
  /** Null deletes. */
  readonly value: Buffer | null
}

interface Layer {
  readonly entries: Map<string, OverlayEntry>
  sizeInBytes: number
}

/** What an entry costs beside its bytes: map slot, key string, buffer objects. */
const entryOverheadInBytes = 160

const emptyLayer = (): Layer => ({ entries: new Map(), sizeInBytes: 0 })

export class Overlay {
  #current = emptyLayer()
  #frozen: Layer | null = null

  get sizeInBytes(): number {
    return this.#current.sizeInBytes + (this.#frozen?.sizeInBytes ?? 0)
  }

  get isFrozen(): boolean {
    return this.#frozen !== null
  }

  get(name: string): OverlayEntry | undefined {
    return this.#current.entries.get(name) ?? this.#frozen?.entries.get(name)
  }

  write(key: StoreKey, value: Buffer | null): void {
    const layer = this.#current
    const { name } = key
    const old = layer.entries.get(name)
    layer.sizeInBytes +=
      old === undefined
        ? entryOverheadInBytes + 2 * name.length
        : -(old.value === null ? 0 : old.value.length)
    layer.sizeInBytes += value === null ? 0 : value.length
    layer.entries.set(name, { key, value })
  }

  /** The current layer becomes the frozen one; a new one takes writes. */
  freeze(): ChangelogWrite[] {
    this.#frozen = this.#current
    this.#current = emptyLayer()
    return [...this.#frozen.entries.values()]
  }

  frozenWrites(): ChangelogWrite[] {
    return this.#frozen === null ? [] : [...this.#frozen.entries.values()]
  }

  dropFrozen(): void {
    this.#frozen = null
  }

  drop(): void {
    this.#current = emptyLayer()
    this.#frozen = null
  }

  /**
   * The layers of now. A read that takes several turns of the event loop goes by one view: a layer that is committed and
   * dropped meanwhile still covers what the database held when the read began.
   */
  view(): OverlayView {
    const layers = [this.#current.entries]
    if (this.#frozen !== null) layers.push(this.#frozen.entries)
    return new OverlayView(layers)
  }
}

export class OverlayView {
  readonly #layers: readonly Map<string, OverlayEntry>[]

  constructor(layers: readonly Map<string, OverlayEntry>[]) {
    this.#layers = layers
  }

  get(name: string): OverlayEntry | undefined {
    for (const layer of this.#layers) {
      const entry = layer.get(name)
      if (entry !== undefined) return entry
    }
    return undefined
  }

  /** Entries with gte <= key < lt, deletions included, in key order. */
  range(gte: Buffer, lt: Buffer): (readonly [name: string, entry: OverlayEntry])[] {
    const first = gte.toString('latin1')
    const end = lt.toString('latin1')
    return this.#select((name, entry) => (name >= first && name < end ? [name, entry] : null))
  }

  /** Entries whose index entry is below `bound` (a database key), named by that entry, in index order. */
  indexed(bound: Buffer, indexKeyOf: IndexKeyOf): (readonly [name: string, entry: OverlayEntry])[] {
    const end = bound.toString('latin1')
    return this.#select((_, entry) => {
      const { key, value } = entry
      const index = value === null ? null : indexKeyOf(key.bytes, value)
      if (index === null) return null
      const name = databaseKey(keySpace.index, indexEntryKey(index, key.bytes)).toString('latin1')
      return name < end ? [name, entry] : null
    })
  }

  #select(
    choose: (name: string, entry: OverlayEntry) => readonly [string, OverlayEntry] | null,
  ): (readonly [string, OverlayEntry])[] {
    const chosen: (readonly [string, OverlayEntry])[] = []
    const [upper, lower] = this.#layers
    for (const layer of this.#layers) {
      for (const [name, entry] of layer) {
        if (layer === lower && upper?.has(name) === true) continue
        const named = choose(name, entry)
        if (named !== null) chosen.push(named)
      }
    }
    return chosen.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  }
}
