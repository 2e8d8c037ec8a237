import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { DatabaseOpener } from '../../../../src/ports/database.ts'
import { CacheBudget } from '../../../../src/streams/store/cache-budget.ts'
import { StoreKey } from '../../../../src/streams/store/store-key.ts'
import type { TaskStore } from '../../../../src/streams/store/task-store.ts'
import { levelDatabaseOpener } from '../../../../src/system/level-database.ts'
import { commit, firstTwoBytes, metaAt, openStore, temporaryDirectory } from './store-fixture.ts'

/**
 * The store against maps that know no layers: `committed`, and what the two overlays make of it. Keys are few, so that they
 * meet often; bytes include 00, 01 and ff, which the index escapes.
 */
const byte = fc.constantFrom(0, 1, 0x61, 0xff)
const key = fc.array(byte, { minLength: 0, maxLength: 3 }).map((bytes) => Buffer.from(bytes))
const value = fc.array(byte, { minLength: 0, maxLength: 4 }).map((bytes) => Buffer.from(bytes))
const write = fc.record({ key, value: fc.option(value) })

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('write' as const), write }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('get' as const), key }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('getMany' as const), keys: fc.array(key) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('range' as const),
      gte: key,
      lt: key,
      limit: fc.option(fc.nat(5)),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('indexed' as const), lt: key, limit: fc.nat(6) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('freeze' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('commit' as const) }) },
  // Reads begin while the commit is under way.
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('commitWithReads' as const), lt: key, write }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('drop' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const), clean: fc.boolean() }) },
)

type Model = Map<string, Buffer>
const nameOf = (bytes: Buffer) => bytes.toString('latin1')
const bytesOf = (name: string) => Buffer.from(name, 'latin1')

function apply(model: Model, { key, value }: { key: Buffer; value: Buffer | null }): void {
  if (value === null) model.delete(nameOf(key))
  else model.set(nameOf(key), value)
}

function rangeOf(model: Model, gte: Buffer, lt: Buffer, limit = Number.POSITIVE_INFINITY) {
  return [...model]
    .map(([name, value]) => [bytesOf(name), value] as [Buffer, Buffer])
    .filter(([key]) => key.compare(gte) >= 0 && key.compare(lt) < 0)
    .sort(([a], [b]) => a.compare(b))
    .slice(0, limit)
}

function indexedOf(model: Model, lt: Buffer, limit: number) {
  return [...model]
    .flatMap(([name, value]) => {
      const index = firstTwoBytes(bytesOf(name), value)
      return index === null ? [] : [{ index, key: bytesOf(name), value }]
    })
    .filter(({ index }) => index.compare(lt) < 0)
    .sort((a, b) => a.index.compare(b.index) || a.key.compare(b.key))
    .slice(0, limit)
}

async function run(
  steps: (typeof step extends fc.Arbitrary<infer T> ? T : never)[],
  cacheBytes: number,
  checksums: number,
) {
  const directory = await temporaryDirectory()
  // Paranoid, so that each reopening proves count, set hash and index.
  const options = {
    indexKeyOf: firstTwoBytes,
    cacheBudget: new CacheBudget(cacheBytes),
    checksumLimits: { whileFilling: checksums, afterwards: checksums },
    paranoid: true,
  }
  let { store } = await openStore(directory, options)
  let committed: Model = new Map()
  let atFreeze: Model | null = null
  let now: Model = new Map()
  let position = 0
  const commit = async (store: TaskStore) => {
    position += 1
    await store.commitFrozen(position, metaAt(position))
    committed = atFreeze ?? committed
    atFreeze = null
  }
  try {
    for (const step of steps) {
      switch (step.kind) {
        case 'write':
          if (step.write.value === null) store.delete(step.write.key)
          else store.put(step.write.key, step.write.value)
          apply(now, step.write)
          break
        case 'get':
          expect(store.get(step.key)).toEqual(now.get(nameOf(step.key)) ?? null)
          break
        case 'getMany':
          expect(await store.getMany(step.keys)).toEqual(step.keys.map((key) => now.get(nameOf(key)) ?? null))
          break
        case 'range': {
          const { gte, lt, limit } = step
          const found = await store.range(limit === null ? { gte, lt } : { gte, lt, limit })
          expect(found).toEqual(rangeOf(now, gte, lt, limit ?? undefined))
          break
        }
        case 'indexed':
          expect(await store.indexed(step)).toEqual(indexedOf(now, step.lt, step.limit))
          break
        case 'freeze':
          if (atFreeze !== null) break
          store.freeze()
          atFreeze = new Map(now)
          break
        case 'commit':
          if (atFreeze !== null) await commit(store)
          break
        case 'commitWithReads': {
          if (atFreeze === null) break
          const expected = [rangeOf(now, Buffer.alloc(0), step.lt), indexedOf(now, step.lt, 3)]
          const keys = [step.write.key, ...now.keys()].map((name) => Buffer.from(name as string, 'latin1'))
          const values = keys.map((key) => now.get(nameOf(key)) ?? null)
          const committing = commit(store)
          const reads = [
            store.range({ gte: Buffer.alloc(0), lt: step.lt }),
            store.indexed({ lt: step.lt, limit: 3 }),
            store.getMany(keys),
          ]
          expect(store.get(step.write.key)).toEqual(now.get(nameOf(step.write.key)) ?? null)
          await committing
          expect(await Promise.all(reads)).toEqual([...expected, values])
          break
        }
        case 'drop':
          store.dropUncommitted()
          now = new Map(committed)
          atFreeze = null
          break
        case 'reopen': {
          await store.close({ clean: step.clean })
          const reopened = await openStore(directory, options)
          expect(reopened.wipes).toEqual([])
          store = reopened.store
          expect(store.changelogPosition).toBe(position)
          expect(store.entryCount).toBe(committed.size)
          now = new Map(committed)
          atFreeze = null
        }
      }
    }
    const all = { gte: Buffer.alloc(0), lt: Buffer.alloc(5, 0xff) }
    expect(await store.range(all)).toEqual(rangeOf(now, all.gte, all.lt))
  } finally {
    await store.close({ clean: false })
  }
  const { store: last, wipes } = await openStore(directory, options)
  expect(wipes).toEqual([])
  expect(last.entryCount).toBe(committed.size)
  await last.close({ clean: true })
}

describe('a store over LevelDB answers like a map', () => {
  test.each([
    ['with the cache', 1 << 20, 1000],
    ['with a cache that holds next to nothing', 500, 1000],
    ['with the cache and without checksums in memory, as a large store', 1 << 20, 0],
    ['with neither', 500, 0],
    ['with checksums that become too many', 1 << 20, 5],
  ])('%s', { timeout: 60_000 }, async (_, cacheBytes, checksums) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 120 }), (steps) =>
        run(steps, cacheBytes, checksums),
      ),
      { numRuns: 60 },
    )
  })
})

const batch = fc.array(write, { maxLength: 20 })

describe('a restore leaves what the changelog says', () => {
  test.each([
    ['with an index', true, 1000],
    ['without an index', false, 1000],
    ['with an index, and more entries than checksums', true, 8],
    ['without an index, and more entries than checksums', false, 8],
  ])('%s', { timeout: 60_000 }, async (_, indexed, checksums) => {
    const options = {
      ...(indexed ? { indexKeyOf: firstTwoBytes } : {}),
      paranoid: true,
      checksumLimits: { whileFilling: checksums, afterwards: checksums },
      cacheBudget: new CacheBudget(2000),
    }
    const restore = fc.asyncProperty(fc.array(fc.array(batch), { maxLength: 4 }), async (sessions) => {
      const directory = await temporaryDirectory()
      const model: Model = new Map()
      let position = 0
      for (const batches of sessions) {
        const { store, wipes } = await openStore(directory, options)
        expect(wipes).toEqual([])
        expect(store.changelogPosition).toBe(position)
        const applied: Promise<void>[] = []
        for (const writes of batches) {
          position += writes.length
          for (const each of writes) apply(model, each)
          const keyed = writes.map(({ key, value }) => ({ key: StoreKey.of(key), value }))
          applied.push(store.applyRestored(keyed, position, null))
        }
        await Promise.all(applied)
        await store.finishRestore()
        expect(store.entryCount).toBe(model.size)
        const all = { gte: Buffer.alloc(0), lt: Buffer.alloc(5, 0xff) }
        expect(await store.range(all)).toEqual(rangeOf(model, all.gte, all.lt))
        expect(await store.indexed({ lt: Buffer.alloc(5, 0xff), limit: 1000 })).toEqual(
          indexed ? indexedOf(model, Buffer.alloc(5, 0xff), 1000) : [],
        )
        await store.close({ clean: false })
      }
    })
    await fc.assert(restore, { numRuns: 40 })
  })
})

test('a batch of a restore that has each of many keys twice takes a time that grows with their number alone', async () => {
  const { store } = await openStore(await temporaryDirectory(), { indexKeyOf: firstTwoBytes })
  const keys = Array.from({ length: 20_000 }, (_, index) => Buffer.from(`key-${index}`))
  const writes = ['old', 'new'].flatMap((value) =>
    keys.map((key) => ({ key: StoreKey.of(key), value: Buffer.from(value) })),
  )
  const startedAt = performance.now()
  await store.applyRestored(writes, writes.length, null)
  await store.finishRestore()
  // Squared it took half a minute; this takes half a second.
  expect(performance.now() - startedAt).toBeLessThan(8000)
  expect(store.entryCount).toBe(keys.length)
  // Twice as many, if entries of the old values had stayed.
  expect(await store.indexed({ lt: Buffer.alloc(5, 0xff), limit: 30_000 })).toHaveLength(keys.length)
})

test('a limited range looks behind deleted entries', async () => {
  const { store } = await openStore(await temporaryDirectory())
  const rows = ['a', 'b', 'c', 'd', 'e'].map((name) => Buffer.from(name))
  await store.applyRestored(
    rows.map((key) => ({ key: StoreKey.of(key), value: key })),
    5,
    null,
  )
  await store.finishRestore()
  for (const name of ['a', 'b', 'c']) store.delete(Buffer.from(name))
  const found = await store.range({ gte: Buffer.from('a'), lt: Buffer.from('z'), limit: 2 })
  expect(found.map(([key]) => key.toString())).toEqual(['d', 'e'])
  await store.close({ clean: true })
})

test('a read that a commit overtakes does not leave an old value behind', async () => {
  const held = { release: () => {} }
  let holding = false
  const opener: DatabaseOpener = {
    ...levelDatabaseOpener,
    async open(directory) {
      const database = await levelDatabaseOpener.open(directory)
      return {
        getSync: (key) => database.getSync(key),
        entries: (range) => database.entries(range),
        batch: (operations, options) => database.batch(operations, options),
        close: () => database.close(),
        async getMany(keys) {
          const values = await database.getMany(keys)
          if (!holding) return values
          await new Promise<void>((resolve) => {
            held.release = resolve
          })
          return values
        },
      }
    },
  }
  const directory = await temporaryDirectory()
  const before = await openStore(directory)
  await commit(before.store, 1, [['key', 'old']])
  await before.store.close({ clean: true })
  const { store } = await openStore(directory, { opener })
  const key = Buffer.from('key')
  holding = true
  const reading = store.getMany([key])
  await new Promise((resolve) => setTimeout(resolve, 20))
  holding = false
  store.put(key, Buffer.from('new'))
  store.freeze()
  await store.commitFrozen(2, metaAt(2))
  held.release()
  // What the database gave is older than what it has been told meanwhile: it is asked again.
  expect(await reading).toEqual([Buffer.from('new')])
  expect(store.get(key)).toEqual(Buffer.from('new'))
  await store.close({ clean: true })
})
