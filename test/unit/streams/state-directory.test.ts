import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { SlotStores, StateDirectory } from '../../../src/streams/state-directory.ts'
import { levelDatabaseOpener } from '../../../src/system/level-database.ts'
import { systemRandom } from '../../../src/system/random.ts'
import { stateFiles } from '../../../src/system/state-files.ts'

const failure = (code: string) => expect.objectContaining({ code })

async function options(appId = 'login-stats') {
  const stateDir = await mkdtemp(join(tmpdir(), 'state-'))
  onTestFinished(() => rm(stateDir, { recursive: true, force: true }))
  return { stateDir, appId, opener: levelDatabaseOpener, files: stateFiles, random: systemRandom }
}

test('each claim takes the first free slot, and who comes back to a slot is the same instance', async () => {
  const where = await options()
  const first = await StateDirectory.claim(where)
  const second = await StateDirectory.claim(where)
  expect([first.slot, second.slot]).toEqual([0, 1])
  expect(first.instanceId).not.toBe(second.instanceId)
  await first.release()
  const again = await StateDirectory.claim(where)
  expect([again.slot, again.instanceId]).toEqual([0, first.instanceId])
  await again.release()
  await second.release()
})

test('applications do not meet', async () => {
  const where = await options()
  const first = await StateDirectory.claim(where)
  const other = await StateDirectory.claim({ ...where, appId: 'other' })
  expect(other.slot).toBe(0)
  await first.release()
  await other.release()
})

test('the slot of a killed process is free, with its instance id', { timeout: 30_000 }, async () => {
  const where = await options()
  const source = (path: string) => JSON.stringify(join(import.meta.dirname, '../../../src', path))
  const program = `
    const { StateDirectory } = await import(${source('streams/state-directory.ts')})
    const { levelDatabaseOpener } = await import(${source('system/level-database.ts')})
    const { systemRandom } = await import(${source('system/random.ts')})
    const { stateFiles } = await import(${source('system/state-files.ts')})
    const held = await StateDirectory.claim({ stateDir: ${JSON.stringify(where.stateDir)}, appId: 'login-stats',
      opener: levelDatabaseOpener, random: systemRandom, files: stateFiles })
    console.log(held.slot + ' ' + held.instanceId)
    setInterval(() => held, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const said = await new Promise<string>((resolve) =>
    child.stdout.once('data', (text) => resolve(String(text).trim())),
  )
  const beside = await StateDirectory.claim(where)
  expect(beside.slot).toBe(1)
  child.kill('SIGKILL')
  await ended
  const heir = await StateDirectory.claim(where)
  expect(`${heir.slot} ${heir.instanceId}`).toBe(said)
  await beside.release()
  await heir.release()
})

test('tasks on disk are listed in order, and nothing else is taken for one', async () => {
  const slot = await StateDirectory.claim(await options())
  const directory = new SlotStores(slot.member(1), stateFiles)
  expect(directory.instanceId).toBe(`${slot.instanceId}-1`)
  expect(await directory.tasksOnDisk()).toEqual([])
  for (const id of ['1_10', '1_2', '0_3']) {
    await (await levelDatabaseOpener.open(directory.taskDirectory(id))).close()
  }
  await (await levelDatabaseOpener.open(`${directory.taskDirectory('1_4')}.wiped`)).close()
  expect(await directory.tasksOnDisk()).toEqual(['0_3', '1_2', '1_10'])
  expect(() => directory.taskDirectory('../1_2')).toThrow(failure('INTERNAL'))
  await slot.release()
})

test('a damaged lock database is made anew, and the instance stays the same', async () => {
  const where = await options()
  const before = await StateDirectory.claim(where)
  await before.release()
  await writeFile(join(where.stateDir, 'login-stats', '0', 'lock', 'CURRENT'), 'nonsense')
  const after = await StateDirectory.claim(where)
  expect([after.slot, after.instanceId]).toEqual([0, before.instanceId])
  await after.release()
})

test('an instance id file that was cut off is made anew', async () => {
  const where = await options()
  const before = await StateDirectory.claim(where)
  await before.release()
  const file = join(where.stateDir, 'login-stats', '0', 'instance-id')
  await writeFile(file, '')
  const after = await StateDirectory.claim(where)
  expect(after.instanceId.length).toBeGreaterThan(20)
  expect((await readFile(file, 'utf8')).trim()).toBe(after.instanceId)
  await after.release()
})

test('removal takes all slots of one application, unless one is held', async () => {
  const where = await options()
  const other = await StateDirectory.claim({ ...where, appId: 'other' })
  await StateDirectory.remove(where)
  const first = await StateDirectory.claim(where)
  const second = await StateDirectory.claim(where)
  const stores = new SlotStores(second.member(0), stateFiles)
  await (await levelDatabaseOpener.open(stores.taskDirectory('1_0'))).close()
  await first.release()
  await expect(StateDirectory.remove(where)).rejects.toEqual(failure('STATE_DIR_IN_USE'))
  expect(await stores.tasksOnDisk()).toEqual(['1_0'])
  await second.release()
  await StateDirectory.remove(where)
  expect(await readdir(where.stateDir)).toEqual(['other'])
  await other.release()
})

test('removal leaves alone what is in use beside the slots, such as the rows of a table, and takes the rest', async () => {
  const where = await options()
  const application = join(where.stateDir, 'login-stats')
  await (await StateDirectory.claim(where)).release()
  const used = await levelDatabaseOpener.open(join(application, 'table-used', 'lock'))
  await (await levelDatabaseOpener.open(join(application, 'table-left', 'lock'))).close()
  await StateDirectory.remove(where)
  expect(await readdir(application)).toEqual(['table-used'])
  await used.close()
  await StateDirectory.remove(where)
  expect(await readdir(where.stateDir)).toEqual([])
})

test('a state directory that cannot be used is named', async () => {
  const where = await options()
  const file = join(where.stateDir, 'file')
  await writeFile(file, '')
  const claim = StateDirectory.claim({ ...where, stateDir: file })
  await expect(claim).rejects.toEqual(failure('STATE_DIR_UNUSABLE'))
  await expect(claim).rejects.toThrow(file)
  for (const appId of ['..', 'a/b', '']) {
    await expect(StateDirectory.claim({ ...where, appId })).rejects.toEqual(failure('STATE_DIR_UNUSABLE'))
  }
})

test('a read-only state directory is named, also one that was in use before', async ({ skip }) => {
  const where = await options()
  const run = promisify(execFile)
  // Rights do not hold root back; a read-only file system does.
  await run('mount', ['-t', 'tmpfs', 'tmpfs', where.stateDir]).catch(() =>
    skip('a tmpfs can be mounted by root alone'),
  )
  try {
    await (await StateDirectory.claim(where)).release()
    await run('mount', ['-o', 'remount,ro', where.stateDir])
    await expect(StateDirectory.claim(where)).rejects.toEqual(failure('STATE_DIR_UNUSABLE'))
    const lock = join(where.stateDir, 'login-stats', '0', 'lock')
    await expect(levelDatabaseOpener.open(lock)).rejects.toEqual(failure('STATE_DIR_UNUSABLE'))
    await expect(levelDatabaseOpener.destroy(lock)).rejects.toEqual(failure('STATE_DIR_UNUSABLE'))
  } finally {
    await run('umount', [where.stateDir])
  }
})
