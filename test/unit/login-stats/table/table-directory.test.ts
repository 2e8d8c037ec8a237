/** Several copies of the table may have their rows in one directory. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LoginStatsTable } from '../../../../src/login-stats/table/index.ts'
import { RowsOnDisk } from '../../../../src/login-stats/table/rows-on-disk.ts'
import { TableDirectory } from '../../../../src/login-stats/table/table-directory.ts'
import type { DatabaseOpener } from '../../../../src/ports/database.ts'
import type { KafkaClient } from '../../../../src/ports/kafka.ts'
import type { Log } from '../../../../src/ports/log.ts'
import { systemClock } from '../../../../src/system/clock.ts'
import { levelDatabaseOpener } from '../../../../src/system/level-database.ts'
import { createLogger } from '../../../../src/system/logger.ts'
import { rowOf } from '../../../support/written-table.ts'

const log = createLogger({ level: 'silent' })
let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'table-directory-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

function changeOf(key: string, count: number) {
  const { key: _, ...json } = rowOf(key, count)
  return { key, row: rowOf(key, count), json: Buffer.from(JSON.stringify(json)) }
}

/** A process that has rows there, and is killed. */
async function leftByKilled(): Promise<string> {
  const source = (path: string) => JSON.stringify(join(import.meta.dirname, '../../../../src', path))
  const program = `
    const { RowsOnDisk } = await import(${source('login-stats/table/rows-on-disk.ts')})
    const { levelDatabaseOpener } = await import(${source('system/level-database.ts')})
    const rows = await RowsOnDisk.open(levelDatabaseOpener, ${JSON.stringify(directory)})
    console.log('open')
    setInterval(() => rows, 1000)`
  const before = await readdir(directory)
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  await new Promise((resolve) => child.stdout.once('data', resolve))
  // While it runs, its rows are its own.
  const [made = ''] = (await readdir(directory)).filter((name) => !before.includes(name))
  await TableDirectory.removeLeftovers(directory, levelDatabaseOpener, log)
  expect(existsSync(join(directory, made, 'rows', 'CURRENT'))).toBe(true)
  child.kill('SIGKILL')
  await ended
  return made
}

test('two copies in one directory do not touch the rows of each other', async () => {
  const one = await RowsOnDisk.open(levelDatabaseOpener, directory)
  await one.apply([changeOf('locale:DE', 1)])
  const other = await RowsOnDisk.open(levelDatabaseOpener, directory)
  await other.apply([changeOf('locale:DE', 2)])
  expect((await one.get('locale:DE'))?.count).toBe(1)
  await one.clear()
  expect((await other.get('locale:DE'))?.count).toBe(2)
  await other.close()
  await one.apply([changeOf('locale:FR', 3)])
  expect((await one.get('locale:FR'))?.count).toBe(3)
  await one.close()
  expect(await readdir(directory)).toEqual([])
})

test('a table that begins removes what a killed process has left, and nothing that is in use or of others', async () => {
  const used = await RowsOnDisk.open(levelDatabaseOpener, directory)
  await used.apply([changeOf('locale:DE', 1)])
  const left = await leftByKilled()
  await mkdir(join(directory, 'table-of-the-kitchen', 'lock'), { recursive: true })
  expect(await readdir(directory)).toContain(left)
  const kafka = { admin: { topics: async () => new Map() } } as unknown as KafkaClient
  const table = LoginStatsTable.follow({
    ...{ kafka, clock: systemClock, log, topic: 'table', databases: levelDatabaseOpener, directory },
  })
  await table.close()
  const names = await readdir(directory)
  expect(names).toHaveLength(2)
  expect(names).not.toContain(left)
  expect(names).toContain('table-of-the-kitchen')
  expect((await used.get('locale:DE'))?.count).toBe(1)
  await used.close()
}, 30_000)

test('what cannot be removed does not keep the rest of what was left', async () => {
  const left = ['a', 'b'].map((letter) => `table-${letter.repeat(22)}`)
  for (const name of left) await (await levelDatabaseOpener.open(join(directory, name, 'lock'))).close()
  let isFirst = true
  const opener: DatabaseOpener = {
    ...levelDatabaseOpener,
    open: (path) => {
      const fails = isFirst
      isFirst = false
      return fails ? Promise.reject(new Error('The disk fails.')) : levelDatabaseOpener.open(path)
    },
  }
  const warnings: string[] = []
  const warn = (_: object, message: string) => void warnings.push(message)
  await TableDirectory.removeLeftovers(directory, opener, { ...log, warn } as Log)
  expect(warnings).toHaveLength(1)
  const names = await readdir(directory)
  expect(names.filter((name) => left.includes(name))).toHaveLength(1)
})
