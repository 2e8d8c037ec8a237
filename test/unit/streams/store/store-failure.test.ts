import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Database, DatabaseOpener } from '../../../../src/ports/database.ts'
import { StoreKey } from '../../../../src/streams/store/store-key.ts'
import type { WipeReason } from '../../../../src/streams/store/types.ts'
import { levelDatabaseOpener } from '../../../../src/system/level-database.ts'
import { commit, metaAt, openStore, temporaryDirectory } from './store-fixture.ts'

/** With what the system has said, and the hint, once each. */
const writeFailed = expect.objectContaining({
  code: 'STORE_WRITE_FAILED',
  message: expect.stringMatching(/^(?=.*no space left on device)(?!.*Hint.*Hint)/i),
})
const key = Buffer.from('key')

/** LevelDB whose nth batch fails without being written; counts what comes after. */
function failingOpener(failingBatch: number): DatabaseOpener & { batchesAfter: number } {
  let batches = 0
  const opener = {
    ...levelDatabaseOpener,
    batchesAfter: 0,
    async open(directory: string): Promise<Database> {
      const database = await levelDatabaseOpener.open(directory)
      return {
        getSync: (key) => database.getSync(key),
        getMany: (keys) => database.getMany(keys),
        entries: (range) => database.entries(range),
        close: () => database.close(),
        batch(operations, options) {
          batches += 1
          if (batches === failingBatch) return Promise.reject(new Error('no space left on device'))
          if (batches > failingBatch) opener.batchesAfter += 1
          return database.batch(operations, options)
        },
      }
    },
  }
  return opener
}

describe('after a failed write the handle is dead', () => {
  test('every later call throws, nothing more is written, and closing deletes what is not known', async () => {
    const directory = join(await temporaryDirectory(), 'store')
    const opener = failingOpener(3)
    const reasons: WipeReason[] = []
    const { store } = await openStore(directory, { opener, onWipe: (reason) => reasons.push(reason) })
    await commit(store, 1, [['key', 'one']])
    await expect(commit(store, 2, [['key', 'two']])).rejects.toEqual(writeFailed)
    expect(() => store.get(key)).toThrow(writeFailed)
    expect(() => store.put(key, key)).toThrow(writeFailed)
    expect(() => store.delete(key)).toThrow(writeFailed)
    expect(() => store.freeze()).toThrow(writeFailed)
    await expect(store.getMany([key])).rejects.toEqual(writeFailed)
    await expect(store.range({ gte: key, lt: Buffer.from('l') })).rejects.toEqual(writeFailed)
    await expect(store.indexed({ lt: key, limit: 1 })).rejects.toEqual(writeFailed)
    await expect(store.commitFrozen(2, metaAt(2))).rejects.toEqual(writeFailed)
    await expect(store.applyRestored([], 2, null)).rejects.toEqual(writeFailed)
    await expect(store.finishRestore()).rejects.toEqual(writeFailed)
    await store.close({ clean: true })
    expect(opener.batchesAfter).toBe(0)
    expect(reasons).toEqual(['write-failed'])
    expect(existsSync(directory)).toBe(false)
  })

  test('a wipe mends it, when there is space again', async () => {
    const { store } = await openStore(await temporaryDirectory(), { opener: failingOpener(2) })
    await expect(commit(store, 1, [['key', 'one']])).rejects.toEqual(writeFailed)
    await store.wipe('write-failed', 'as the test wishes')
    expect(store.changelogPosition).toBe(0)
    await commit(store, 2, [['key', 'two']])
    expect(store.get(key)).toEqual(Buffer.from('two'))
    await store.close({ clean: true })
  })

  test('a restored batch that fails shows at the next call or at the end', async () => {
    const { store } = await openStore(await temporaryDirectory(), { opener: failingOpener(2) })
    await store.applyRestored([{ key: StoreKey.of(key), value: key }], 1, null)
    await expect(store.finishRestore()).rejects.toEqual(writeFailed)
    await store.close({ clean: false })
  })

  test('a full disk: the commit fails, and the next start is empty or whole', async ({ skip }) => {
    const mount = join(await temporaryDirectory(), 'small')
    await mkdir(mount)
    const run = promisify(execFile)
    await run('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', mount]).catch(() =>
      skip('a tmpfs can be mounted by root alone'),
    )
    onTestFinished(async () => {
      await run('umount', [mount])
    })
    const directory = join(mount, 'store')
    const { store } = await openStore(directory)
    const fill = async () => {
      for (let position = 1; position < 100; position += 1) {
        await commit(store, position, [[`key ${position}`, 'x'.repeat(100_000)]])
      }
    }
    await expect(fill()).rejects.toEqual(writeFailed)
    await store.close({ clean: true })
    const again = await openStore(directory)
    expect(again.store.entryCount).toBe(again.store.changelogPosition)
    await commit(again.store, 1, [['key', 'value']])
    await again.store.close({ clean: true })
  })
})

describe('misuse is refused', () => {
  const internal = expect.objectContaining({ code: 'INTERNAL' })
  test('a second freeze, and a commit without one', async () => {
    const { store } = await openStore(await temporaryDirectory())
    await expect(store.commitFrozen(1, metaAt(1))).rejects.toEqual(internal)
    store.freeze()
    expect(() => store.freeze()).toThrow(internal)
    await store.close({ clean: true })
  })

  test('the overlay counts its bytes', async () => {
    const { store } = await openStore(await temporaryDirectory())
    expect(store.overlaySizeInBytes).toBe(0)
    store.put(key, Buffer.alloc(1000))
    store.put(key, Buffer.alloc(2000))
    const one = store.overlaySizeInBytes
    expect(one).toBeGreaterThan(2000)
    expect(one).toBeLessThan(3000)
    store.freeze()
    store.put(key, Buffer.alloc(2000))
    expect(store.overlaySizeInBytes).toBe(2 * one)
    await store.commitFrozen(1, metaAt(1))
    expect(store.overlaySizeInBytes).toBe(one)
    store.dropUncommitted()
    expect(store.overlaySizeInBytes).toBe(0)
    await store.close({ clean: true })
  })
})

describe('kill -9', () => {
  test('a store that is killed while it commits is whole, and never wiped', { timeout: 60_000 }, async () => {
    const directory = await temporaryDirectory()
    let position = 0
    for (let kill = 0; kill < 5; kill += 1) {
      const child = spawn(process.execPath, [join(import.meta.dirname, 'commit-loop.ts'), directory], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const ended = new Promise((resolve) => child.once('exit', resolve))
      const acknowledged = await new Promise<number>((resolve) => {
        let text = ''
        child.stdout.on('data', (chunk) => {
          if (text === '') setTimeout(() => child.kill('SIGKILL'), 50 + Math.random() * 300)
          text += chunk
        })
        child.stdout.once('end', () => resolve(Number(text.trimEnd().split('\n').at(-1))))
      })
      await ended
      await delay(0)

      const { store, wipes } = await openStore(directory, { paranoid: true })
      expect(wipes).toEqual([])
      expect(acknowledged).toBeGreaterThan(position)
      // What was told as committed is there; one more may be.
      expect(store.changelogPosition - acknowledged).toBeGreaterThanOrEqual(0)
      expect(store.changelogPosition - acknowledged).toBeLessThanOrEqual(1)
      position = store.changelogPosition
      expect(store.meta).toEqual(metaAt(position))
      expect(store.get(Buffer.from('last'))).toEqual(Buffer.from(String(position)))
      expect(store.entryCount).toBe(1 + Math.min(position * 100, 5000))
      await store.close({ clean: false })
    }
  })
})
