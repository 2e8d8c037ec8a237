import { databaseKey, keySpace } from './envelope.ts'

/** A key of a store, with what is made of it on the way from a record to the database: each is made once. */
export class StoreKey {
  /** As it stands in the database, and in the changelog: the key behind the byte of its key space. */
  readonly stored: Buffer
  #name: string | null
  #bytes: Buffer | null = null

  static of(key: Buffer | StoreKey): StoreKey {
    return key instanceof StoreKey ? key : new StoreKey(databaseKey(keySpace.data, key))
  }

  /** The key whose name this is. */
  static named(name: string): StoreKey {
    const stored = Buffer.allocUnsafe(1 + name.length)
    stored[0] = keySpace.data
    stored.write(name, 1, 'latin1')
    return new StoreKey(stored, name)
  }

  /** `stored` is kept. */
  constructor(stored: Buffer, name: string | null = null) {
    this.stored = stored
    this.#name = name
  }

  /** The key itself, as a view. */
  get bytes(): Buffer {
    this.#bytes ??= this.stored.subarray(1)
    return this.#bytes
  }

  /** The key in Latin-1, by which maps find it; the order of names is that of the bytes. */
  get name(): string {
    this.#name ??= this.stored.toString('latin1', 1)
    return this.#name
  }
}
