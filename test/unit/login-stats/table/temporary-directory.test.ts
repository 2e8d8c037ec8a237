/** Where a table has its rows on disk if nobody has named a directory. */
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LoginStatsTable } from '../../../../src/login-stats/table/index.ts'
import { temporaryDirectory, usersDirectory } from '../../../../src/login-stats/table/temporary-directory.ts'
import type { KafkaClient } from '../../../../src/ports/kafka.ts'
import { systemClock } from '../../../../src/system/clock.ts'
import { levelDatabaseOpener } from '../../../../src/system/level-database.ts'
import { createLogger } from '../../../../src/system/logger.ts'

let below: string
let own: string
beforeEach(() => {
  below = mkdtempSync(join(tmpdir(), 'temporary-directory-'))
  own = join(below, `login-stats-tables-${process.getuid?.()}`)
  vi.stubEnv('TMPDIR', below)
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(below, { recursive: true, force: true })
})

test('a user has one for all tables, which lets nobody else in and stays', async () => {
  expect(await usersDirectory()).toBeNull()
  const [one, other] = [await temporaryDirectory(), await temporaryDirectory()]
  expect([one.path, other.path, await usersDirectory()]).toEqual([own, own, own])
  expect(lstatSync(own).mode & 0o777).toBe(0o700)
  await one.remove()
  expect(readdirSync(below)).toHaveLength(1)
})

test.each([
  ['lets others in', () => [mkdirSync(own), chmodSync(own, 0o777)]],
  ['is a link', () => [mkdirSync(join(below, 'elsewhere'), { mode: 0o700 }), symlinkSync('elsewhere', own)]],
])('one that %s is not used', async (_, make) => {
  make()
  const before = readdirSync(below)
  expect(await usersDirectory()).toBeNull()
  const { path, remove } = await temporaryDirectory()
  expect(path).not.toBe(own)
  await remove()
  expect(readdirSync(below)).toEqual(before)
})

test('a table for which no directory is named removes what a killed one has left', async () => {
  const { path } = await temporaryDirectory()
  const lock = join(path, `table-${'a'.repeat(22)}`, 'lock')
  await (await levelDatabaseOpener.open(lock)).close()
  const kafka = { admin: { topics: async () => new Map() } } as unknown as KafkaClient
  const log = createLogger({ level: 'silent' })
  const table = LoginStatsTable.follow({
    ...{ kafka, clock: systemClock, log, topic: 'table', databases: levelDatabaseOpener },
  })
  await table.close()
  expect(readdirSync(path)).toEqual([])
})
