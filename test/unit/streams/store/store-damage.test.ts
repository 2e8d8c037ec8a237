import { existsSync } from 'node:fs'
import { cp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Database } from '../../../../src/ports/database.ts'
import { CacheBudget } from '../../../../src/streams/store/cache-budget.ts'
import { databaseKey, keySpace, seal } from '../../../../src/streams/store/envelope.ts'
import { indexEntryKey } from '../../../../src/streams/store/index-entry.ts'
import { StoreKey } from '../../../../src/streams/store/store-key.ts'
import { metaKey, metaPut } from '../../../../src/streams/store/store-meta.ts'
import type { StoreOptions } from '../../../../src/streams/store/store-opening.ts'
import { levelDatabaseOpener } from '../../../../src/system/level-database.ts'
import {
  clockAt,
  commit,
  day,
  firstTwoBytes,
  identity,
  metaAt,
  openStore,
  temporaryDirectory,
} from './store-fixture.ts'

/** Above what is scanned at every opening. */
const many = 25_000

const keyOf = (n: number) => `locale:${String(n).padStart(6, '0')}`

async function storeOnDisk(
  entries: number,
  options: Partial<StoreOptions> = {},
  clean = false,
): Promise<string> {
  const directory = await temporaryDirectory()
  const { store } = await openStore(directory, options)
  const each = Math.ceil(entries / 10)
  for (let first = 0, position = 10; first < entries; first += each, position += 10) {
    const rows = Array.from(
      { length: Math.min(each, entries - first) },
      (_, n) => [keyOf(first + n), `value ${first + n} of commit ${position}`] as const,
    )
    await commit(store, position, rows)
  }
  await store.close({ clean })
  return directory
}

async function expectWiped(directory: string, reason: string, options: Partial<StoreOptions> = {}) {
  const { store, wipes } = await openStore(directory, options)
  expect(wipes).toEqual([reason])
  expect([store.changelogPosition, store.entryCount, store.meta]).toEqual([0, 0, null])
  await commit(store, 5, [['usable', 'afterwards']])
  await store.close({ clean: false })
  const again = await openStore(directory, options)
  expect(again.wipes).toEqual([])
  expect(again.store.get(Buffer.from('usable'))).toEqual(Buffer.from('afterwards'))
  await again.store.close({ clean: true })
}

async function expectWhole(directory: string, entries: number, options: Partial<StoreOptions> = {}) {
  const { store, wipes } = await openStore(directory, options)
  expect(wipes).toEqual([])
  expect(store.entryCount).toBe(entries)
  await store.close({ clean: false })
}

async function fileEnding(directory: string, ending: string): Promise<string> {
  const name = (await readdir(directory)).find((name) => name.endsWith(ending))
  if (name === undefined) throw new Error(`no ${ending} in ${directory}`)
  return join(directory, name)
}

async function flip(file: string, change: (bytes: Buffer) => number): Promise<void> {
  const bytes = await readFile(file)
  const at = change(bytes)
  bytes[at] = (bytes[at] ?? 0) ^ 0x04
  await writeFile(file, bytes)
}

async function withDatabase(directory: string, change: (database: Database) => Promise<void>): Promise<void> {
  const database = await levelDatabaseOpener.open(directory)
  await change(database)
  await database.close()
}

/** Opening and closing moves LevelDB's log into a table. */
const intoTable = (directory: string) => withDatabase(directory, async () => {})

const remove = (...keys: string[]) => {
  return (database: Database) =>
    database.batch(
      keys.map((key) => ({ type: 'del', key: databaseKey(keySpace.data, Buffer.from(key)) })),
      { sync: false },
    )
}

describe('damage on disk is noticed at opening, and the store is empty afterwards', () => {
  test('a flipped byte in the log', async () => {
    const directory = await storeOnDisk(many)
    await flip(await fileEnding(directory, '.log'), (bytes) => Math.floor(bytes.length / 2))
    await expectWiped(directory, 'damaged')
  })

  test('CURRENT missing', async () => {
    const directory = await storeOnDisk(1000)
    await rm(join(directory, 'CURRENT'))
    await expectWiped(directory, 'damaged')
  })

  test('CURRENT cut off', async () => {
    const directory = await storeOnDisk(1000)
    await truncate(join(directory, 'CURRENT'), 3)
    await expectWiped(directory, 'damaged')
  })

  test('the manifest missing', async () => {
    const directory = await storeOnDisk(1000)
    const manifest = (await readdir(directory)).find((name) => name.startsWith('MANIFEST'))
    await rm(join(directory, manifest ?? ''))
    await expectWiped(directory, 'damaged')
  })

  test('a table missing', async () => {
    const directory = await storeOnDisk(1000)
    await intoTable(directory)
    await rm(await fileEnding(directory, '.ldb'))
    await expectWiped(directory, 'damaged')
  })

  test.each(['identity', 'commit', 'session'] as const)('the %s record missing', async (name) => {
    const directory = await storeOnDisk(1000)
    await withDatabase(directory, (database) =>
      database.batch([{ type: 'del', key: metaKey(name) }], { sync: false }),
    )
    await expectWiped(directory, 'damaged')
  })

  test('a small store is scanned even in the same boot and after a clean close', async () => {
    const directory = await storeOnDisk(1000, {}, true)
    await withDatabase(directory, remove(keyOf(500)))
    await expectWiped(directory, 'damaged')
  })

  test('a flipped bit in a table, in a value, a sequence number or a key', async () => {
    // Before a value stand the last bytes of its key, and 8 bytes with its sequence number.
    for (const distance of [2, -3, -9]) {
      const directory = await storeOnDisk(1000)
      await intoTable(directory)
      await flip(await fileEnding(directory, '.ldb'), (bytes) => bytes.indexOf('value 777 ') + distance)
      await expectWiped(directory, 'damaged')
    }
  })

  test('a flipped bit anywhere in a table, where nothing is scanned', async () => {
    const directory = await storeOnDisk(many, {}, true)
    await intoTable(directory)
    const table = await fileEnding(directory, '.ldb')
    const whole = await readFile(table)
    await expectWhole(directory, many)
    // In data, in the filter and the directory blocks at the end, and in the footer.
    for (const share of [0, 0.1, 0.5, 0.9, 0.97, 0.99, 0.9995]) {
      const copy = await temporaryDirectory()
      await cp(directory, copy, { recursive: true })
      const bytes = Buffer.from(whole)
      const at = Math.floor(bytes.length * share)
      bytes[at] = (bytes[at] ?? 0) ^ 0x10
      await writeFile(join(copy, basename(table)), bytes)
      await expectWiped(copy, 'damaged')
    }
    const cut = await temporaryDirectory()
    await cp(directory, cut, { recursive: true })
    await truncate(join(cut, basename(table)), whole.length - 100)
    await expectWiped(cut, 'damaged')
  })

  test('a half-written table that a kill has left is no damage', async () => {
    const directory = await storeOnDisk(many)
    await intoTable(directory)
    const table = await readFile(await fileEnding(directory, '.ldb'))
    await writeFile(join(directory, '000099.ldb'), table.subarray(0, 5000))
    await expectWhole(directory, many, { paranoid: true })
  })

  test('entries lost in the middle, after the machine went down', async () => {
    const directory = await storeOnDisk(many)
    await withDatabase(directory, remove(keyOf(12_345)))
    await expectWiped(directory, 'damaged', { bootId: 'boot-2' })
  })

  test('an old value come back, after the machine went down', async () => {
    const directory = await storeOnDisk(many)
    const { key, value } = seal(keySpace.data, Buffer.from(keyOf(7)), Buffer.from('an older one'))
    await withDatabase(directory, (database) =>
      database.batch([{ type: 'put', key, value }], { sync: false }),
    )
    await expectWiped(directory, 'damaged', { bootId: 'boot-2' })
  })

  test('an index entry lost', async () => {
    const options = { indexKeyOf: firstTwoBytes }
    const directory = await storeOnDisk(100, options)
    const lost = databaseKey(keySpace.index, indexEntryKey(Buffer.from('va'), Buffer.from(keyOf(7))))
    await withDatabase(directory, (database) => database.batch([{ type: 'del', key: lost }], { sync: false }))
    await expectWiped(directory, 'damaged', options)
  })
})

describe('nothing is scanned or wiped without need', () => {
  test('a large store is not scanned after a kill, nor after a clean close and a restart of the machine', async () => {
    // The lost entry is the proof: a scan would have found it.
    const killed = await storeOnDisk(many)
    await withDatabase(killed, remove(keyOf(1)))
    await expectWhole(killed, many)

    const closed = await storeOnDisk(many, {}, true)
    await withDatabase(closed, remove(keyOf(1)))
    await expectWhole(closed, many, { bootId: 'boot-2' })
    // That opening has taken the mark of the clean close away, and noted the new boot.
    await expectWhole(closed, many, { bootId: 'boot-2' })
    await expectWiped(closed, 'damaged', { bootId: 'boot-3' })
  })

  test('paranoid scans always', async () => {
    const directory = await storeOnDisk(many, {}, true)
    await withDatabase(directory, remove(keyOf(1)))
    await expectWiped(directory, 'damaged', { paranoid: true })
  })

  test('a whole store passes the scan', async () => {
    await expectWhole(await storeOnDisk(many), many, { bootId: 'boot-2' })
  })

  test('a log cut off at its end is an earlier commit, whole', async () => {
    const directory = await storeOnDisk(1000)
    const log = await fileEnding(directory, '.log')
    await truncate(log, Math.floor((await readFile(log)).length * 0.7))
    const { store, wipes } = await openStore(directory, { bootId: 'boot-2' })
    expect(wipes).toEqual([])
    expect(store.entryCount).toBe(store.changelogPosition * 10)
    expect(store.changelogPosition).toBeLessThan(100)
    expect(store.meta).toEqual(metaAt(store.changelogPosition))
    await store.close({ clean: true })
  })
})

describe('damage that shows only when it is read', () => {
  const damagedStore = async () => {
    const directory = await storeOnDisk(many, { indexKeyOf: firstTwoBytes })
    const key = databaseKey(keySpace.data, Buffer.from(keyOf(42)))
    const { value } = seal(keySpace.data, Buffer.from(keyOf(43)), Buffer.from('of another key'))
    await withDatabase(directory, (database) =>
      database.batch([{ type: 'put', key, value }], { sync: false }),
    )
    const { store } = await openStore(directory, { indexKeyOf: firstTwoBytes })
    return store
  }
  const bad = Buffer.from(keyOf(42))
  const code = expect.objectContaining({ code: 'STORE_DAMAGED' })

  test('every way of reading refuses it, a write over it too, and the store can be wiped', async () => {
    const store = await damagedStore()
    expect(() => store.get(bad)).toThrow(code)
    await expect(store.getMany([Buffer.from(keyOf(1)), bad])).rejects.toEqual(code)
    await expect(store.range({ gte: Buffer.from(keyOf(40)), lt: Buffer.from(keyOf(50)) })).rejects.toEqual(
      code,
    )
    await expect(store.indexed({ lt: Buffer.from('z'), limit: 100 })).rejects.toEqual(code)
    store.put(bad, Buffer.from('new'))
    store.freeze()
    await expect(store.commitFrozen(1, metaAt(1))).rejects.toEqual(code)
    await store.wipe('damaged', 'as the test wishes')
    expect([store.changelogPosition, store.entryCount, store.get(bad)]).toEqual([0, 0, null])
    await commit(store, 3, [['a', 'bc']])
    expect((await store.indexed({ lt: Buffer.from('z'), limit: 10 })).length).toBe(1)
    await store.close({ clean: true })
  })

  test('an index entry that does not fit its value', async () => {
    const options = { indexKeyOf: firstTwoBytes }
    const directory = await storeOnDisk(many, options)
    const { key, value } = seal(
      keySpace.index,
      indexEntryKey(Buffer.from('aa'), Buffer.from(keyOf(1))),
      Buffer.alloc(0),
    )
    await withDatabase(directory, (database) =>
      database.batch([{ type: 'put', key, value }], { sync: false }),
    )
    const { store } = await openStore(directory, options)
    await expect(store.indexed({ lt: Buffer.from('b'), limit: 10 })).rejects.toEqual(code)
    await store.close({ clean: false })
  })
})

describe('a store that is not ours is not read', () => {
  test.each(Object.keys(identity) as (keyof typeof identity)[])('another %s', async (field) => {
    const directory = await storeOnDisk(10)
    const other = { ...identity, [field]: field === 'partition' ? 9 : 'other' }
    await expectWiped(directory, 'foreign', { identity: other })
  })

  test('older than what the changelog keeps of deletions', async () => {
    const directory = await storeOnDisk(10, { clock: clockAt(() => 1_000_000) })
    await expectWhole(directory, 10, { clock: clockAt(() => 1_000_000 + day) })
    await expectWiped(directory, 'too-old', { clock: clockAt(() => 1_000_001 + day) })
  })

  test('a restore does not make a store younger before it has ended', async () => {
    const directory = await storeOnDisk(10, { clock: clockAt(() => 0) })
    const late = { clock: clockAt(() => day) }
    const { store } = await openStore(directory, late)
    await store.applyRestored([{ key: StoreKey.of(Buffer.from('k')), value: Buffer.from('v') }], 200, null)
    await store.close({ clean: false })
    await expectWiped(directory, 'too-old', { clock: clockAt(() => day + 1) })
  })

  test('another fingerprint is left to the engine', async () => {
    const directory = await storeOnDisk(10)
    await expectWhole(directory, 10, { fingerprint: { dimensions: 'other' } })
  })

  const withFormat = async (version: number) => {
    const directory = await storeOnDisk(10)
    const record = metaPut('session', { bootId: 'boot-1', clean: false })
    const content = Buffer.from(record.value.subarray(0, record.value.length - 4))
    content[0] = version
    const { key, value } = seal(keySpace.meta, record.key.subarray(1), content)
    await withDatabase(directory, (database) =>
      database.batch([{ type: 'put', key, value }], { sync: false }),
    )
    return directory
  }

  test('an older format is wiped, a newer one refused and left as it is', async () => {
    await expectWiped(await withFormat(0), 'format')
    const newer = await withFormat(2)
    const code = expect.objectContaining({ code: 'FORMAT_TOO_NEW' })
    await expect(openStore(newer)).rejects.toEqual(code)
    await expect(openStore(newer)).rejects.toEqual(code)
  })

  test('a store in use is refused, not wiped', async () => {
    const directory = await storeOnDisk(10)
    const { store } = await openStore(directory)
    await expect(openStore(directory)).rejects.toEqual(expect.objectContaining({ code: 'STATE_DIR_IN_USE' }))
    expect(store.get(Buffer.from(keyOf(1)))).not.toBeNull()
    await store.close({ clean: true })
    expect(existsSync(directory)).toBe(true)
  })
})

describe('under an open store', () => {
  const hit = Buffer.from(keyOf(3))
  const storedHit = databaseKey(keySpace.data, hit)
  const older = seal(keySpace.data, hit, Buffer.from('value of an older commit'))
  const stale = { type: 'put', key: older.key, value: older.value } as const
  const damages = [
    { kind: 'an entry that is gone', operation: { type: 'del', key: storedHit } as const },
    { kind: 'an older value with its checksum', operation: stale },
  ]
  const stores = [
    { which: 'filled in this session', isReopened: false },
    { which: 'opened with entries in it', isReopened: true },
  ]

  test.each(stores.flatMap((store) => damages.map((damage) => ({ ...store, ...damage }))))(
    '$kind of a store $which is noticed when it is read',
    async ({ isReopened, operation }) => {
      const databases: Database[] = []
      const opener = {
        ...levelDatabaseOpener,
        async open(path: string) {
          const database = await levelDatabaseOpener.open(path)
          databases.push(database)
          return database
        },
      }
      const directory = isReopened ? await storeOnDisk(10) : await temporaryDirectory()
      // Without a cache, so that all is read from the database.
      const { store, wipes } = await openStore(directory, { opener, cacheBudget: new CacheBudget(0) })
      const rows = Array.from({ length: 10 }, (_, n) => [keyOf(n), `newer value ${n}`] as const)
      await commit(store, 200, rows)
      await databases.at(-1)?.batch([operation], { sync: false })
      const noticed = expect.objectContaining({ code: 'STORE_DAMAGED' })
      expect(() => store.get(hit)).toThrow(noticed)
      await expect(store.getMany([Buffer.from(keyOf(1)), hit])).rejects.toEqual(noticed)
      expect(store.get(Buffer.from(keyOf(1)))).toEqual(Buffer.from('newer value 1'))
      expect(store.get(Buffer.from('never written'))).toBeNull()
      await store.wipe('damaged', 'as the task does')
      expect(wipes).toEqual(['damaged'])
      expect(store.get(hit)).toBeNull()
      await commit(store, 5, [['key', 'afterwards']])
      expect(store.get(Buffer.from('key'))).toEqual(Buffer.from('afterwards'))
      await store.close({ clean: true })
    },
  )
})
