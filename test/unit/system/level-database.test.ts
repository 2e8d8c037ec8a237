import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Database } from '../../../src/ports/database.ts'
import { bootId } from '../../../src/system/boot-id.ts'
import { levelDatabaseOpener } from '../../../src/system/level-database.ts'

const bytes = (text: string) => Buffer.from(text)

async function place(): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'level-'))
  onTestFinished(() => rm(parent, { recursive: true, force: true }))
  return join(parent, 'a', 'b')
}

async function entriesOf(database: Database, gte: string, lt: string, limit?: number): Promise<string[]> {
  const found: string[] = []
  const range = { gte: bytes(gte), lt: bytes(lt) }
  for await (const chunk of database.entries(limit === undefined ? range : { ...range, limit })) {
    for (const [key, value] of chunk) found.push(`${key}=${value}`)
  }
  return found
}

test('puts, deletions, reads and ranges, also after reopening', async () => {
  const directory = await place()
  let database = await levelDatabaseOpener.open(directory)
  await database.batch(
    [
      ...['a', 'b', 'c', 'd'].map(
        (key) => ({ type: 'put', key: bytes(key), value: bytes(`${key}1`) }) as const,
      ),
      { type: 'del', key: bytes('c') },
      { type: 'put', key: bytes('d'), value: bytes('d2') },
    ],
    { sync: false },
  )
  for (const sync of [false, true]) {
    expect(database.getSync(bytes('a'))).toEqual(bytes('a1'))
    expect(database.getSync(bytes('c'))).toBeUndefined()
    expect(await database.getMany([bytes('d'), bytes('x')])).toEqual([bytes('d2'), undefined])
    expect(await entriesOf(database, 'a', 'd')).toEqual(['a=a1', 'b=b1'])
    expect(await entriesOf(database, 'a', 'z', 2)).toEqual(['a=a1', 'b=b1'])
    expect(await entriesOf(database, 'z', 'zz')).toEqual([])
    await database.batch([], { sync })
    await database.close()
    expect(await levelDatabaseOpener.openingComplaint(directory)).toBeNull()
    database = await levelDatabaseOpener.open(directory)
  }
  await database.close()
})

test('a reader sees its snapshot, in chunks, and may stop early', async () => {
  const database = await levelDatabaseOpener.open(await place())
  const put = (n: number) =>
    ({ type: 'put', key: bytes(String(n).padStart(5, '0')), value: bytes('v') }) as const
  await database.batch(
    Array.from({ length: 5000 }, (_, n) => put(n)),
    { sync: false },
  )
  let count = 0
  let chunks = 0
  for await (const chunk of database.entries({ gte: bytes('0'), lt: bytes('9') })) {
    if (chunks === 0) await database.batch([put(4999), put(6000)], { sync: false })
    count += chunk.length
    chunks += 1
  }
  expect(count).toBe(5000)
  expect(chunks).toBeGreaterThan(1)
  for await (const _ of database.entries({ gte: bytes('0'), lt: bytes('9') })) break
  await database.close()
})

test('what cannot be opened has a code', async () => {
  const inUse = await place()
  const database = await levelDatabaseOpener.open(inUse)
  const failure = (code: string) => expect.objectContaining({ code })
  await expect(levelDatabaseOpener.open(inUse)).rejects.toEqual(failure('STATE_DIR_IN_USE'))
  await database.close()

  const file = `${await place()}-file`
  await writeFile(join(file, '..', '..', 'blocking'), 'a file where a directory should be')
  const below = join(file, '..', '..', 'blocking', 'store')
  await expect(levelDatabaseOpener.open(below)).rejects.toEqual(failure('STATE_DIR_UNUSABLE'))
})

test('destroy leaves nothing, also where nothing was', async () => {
  const directory = await place()
  await levelDatabaseOpener.destroy(directory)
  await (await levelDatabaseOpener.open(directory)).close()
  await levelDatabaseOpener.destroy(directory)
  expect(await readdir(join(directory, '..'))).toEqual([])
})

test('the boot id is there, and the same for the whole boot', async () => {
  expect(await bootId()).toMatch(/.{10,}/)
  expect(await bootId()).toBe(await bootId())
})

test('a write that is refused says why', async () => {
  const database = await levelDatabaseOpener.open(await place())
  await database.close()
  const put = { type: 'put', key: bytes('a'), value: bytes('1') } as const
  await expect(database.batch([put], { sync: false })).rejects.toMatchObject({
    code: 'STORE_WRITE_FAILED',
    message: expect.stringContaining('Database is not open'),
  })
})
