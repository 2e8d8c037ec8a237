import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../src/system/clock.ts'
import { Application } from '../support/application.ts'
import { cleanUpAll, cleanUpLater } from '../support/clean-ups.ts'
import { type Disk, Ext4Disk, limitFileSize, TmpfsDisk, unavailable } from '../support/disks.ts'
import { type Figures, faultRounds, type Round } from '../support/fault-rounds.ts'
import type { Instance, LogLine } from '../support/instance.ts'
import { countOf, expectExact } from '../support/oracle.ts'
import { expectStoresAgree } from '../support/store-check.ts'

const row = 'disk full, I/O error, read-only state directory'
/**
 * The limit of the row; a machine that is busy with other things may take twice as long, or where the start of a process takes long on it,
 * so many times as long as that.
 */
const stopLimitMs = 1000
const stopToStart = 4

afterEach(cleanUpAll)

function newApplication(settings: Record<string, string> = {}): Application {
  const application = new Application('disk', settings)
  cleanUpLater(() => application.close())
  return application
}

function mounted<D extends Disk>(disk: D): D {
  cleanUpLater(() => disk.remove())
  return disk
}

/** Few keys, or so many that a store is not scanned at each opening. */
function dimensions(round: Round): Record<string, string> {
  return round.random.chance(0.5) ? {} : { DIMENSIONS: 'user_id+app_version', STATS_PARTITIONS: '1' }
}

/** All valid: which of the others are invalid depends on the dimensions. */
function loginOptions(round: Round): { seed: number; invalidShare: number } {
  return { seed: round.seed, invalidShare: 0 }
}

type Outcomes = NonNullable<Figures['outcomes']>

const errorsOfState: readonly string[] = ['STORE_WRITE_FAILED', 'STATE_DIR_UNUSABLE']

/** It has ended with an error of the state directory, which names the place and what the system has said. */
function expectSaysWhy(instance: Instance, directory: string, reason: RegExp): void {
  const error = instance.log.findLast(({ code }) => code !== undefined)
  expect(errorsOfState, instance.tail()).toContain(error?.code)
  expect(error?.msg).toContain(directory)
  expect(error?.msg).toMatch(reason)
}

interface FaultUnderLoad {
  readonly name: string
  readonly taste?: number
  readonly unavailable: string | null
  /** In the words of the system. */
  readonly reason: RegExp
  /** Makes the state directory. Returns how to inflict the fault on the running process, and how to undo it. */
  prepare(): { readonly directory: string; inflict(instance: Instance): void; mend(): void }
}

const faultsUnderLoad: readonly FaultUnderLoad[] = [
  {
    name: 'the disk gets full',
    taste: 1,
    reason: /no space left/i,
    unavailable: unavailable.tmpfs,
    prepare: () => {
      const disk = mounted(new TmpfsDisk('200m'))
      return { directory: disk.directory, inflict: () => disk.fill(), mend: () => disk.free() }
    },
  },
  {
    name: 'the disk refuses to let files grow',
    reason: /file too large/i,
    unavailable: unavailable.tmpfs ?? unavailable.fileSizeLimit,
    prepare: () => ({
      directory: mounted(new TmpfsDisk('200m')).directory,
      inflict: (instance) => limitFileSize(instance.pid, 1),
      mend: () => undefined,
    }),
  },
  {
    name: 'the disk answers with I/O errors, and what was not synced is lost',
    reason: /input\/output error|i\/o error/i,
    unavailable: unavailable.ext4,
    prepare: () => {
      const disk = mounted(new Ext4Disk())
      return { directory: disk.directory, inflict: () => disk.failIo(), mend: () => disk.mountAgain() }
    },
  },
  {
    name: 'the file system turns read-only after an error',
    reason: /read-only/i,
    unavailable: unavailable.ext4,
    prepare: () => {
      const disk = mounted(new Ext4Disk())
      return { directory: disk.directory, inflict: () => disk.turnReadOnly(), mend: () => disk.mountAgain() }
    },
  },
]

for (const fault of faultsUnderLoad) {
  if (fault.unavailable !== null) test.skip(`${row}: ${fault.name} (${fault.unavailable})`)
  else
    faultRounds(row, fault.name, { taste: fault.taste ?? 0, short: 1, long: 5 }, (round) =>
      underLoad(fault, round),
    )
}

async function underLoad(fault: FaultUnderLoad, round: Round): Promise<Figures> {
  const { directory, inflict, mend } = fault.prepare()
  const application = newApplication({ STATE_DIR: directory, ...dimensions(round) })
  await application.createInput(2)
  const instance = application.start()
  await instance.line('tasks assigned', ({ msg }) => msg === 'Tasks assigned')
  // For four seconds at least: what has no more logins to count writes nothing, and does not meet the fault.
  const producing = application.produceLogins(40_000, { ...loginOptions(round), batch: 300, pauseMs: 30 })
  // Awaited after what may fail before.
  producing.catch(() => undefined)
  await instance.line('a commit', ({ msg, task }) => msg === 'Committed' && task === '1_0')
  await systemClock.sleep(2000 * round.random.next())
  inflict(instance)
  const hit = await instance.line('the fault is met', isWriteFailure, 30_000)
  const outcomes = await expectStops(instance, hit, directory, fault.reason)
  mend()
  return countedByAnother(application, await producing, outcomes)
}

function isWriteFailure({ msg, failure }: LogLine): boolean {
  return msg === 'Task failed' && errorsOfState.includes(String(failure))
}

/** It ends soon after `hit`, its first line about the fault. Resolves with whether that was in the limit of the row. */
async function expectStops(
  instance: Instance,
  hit: LogLine,
  directory: string,
  reason: RegExp,
): Promise<Outcomes> {
  const code = await instance.exited
  const stoppedAfterMs = Math.round(systemClock.now() - hit.time)
  expect(code, instance.tail()).toBe(1)
  expectSaysWhy(instance, directory, reason)
  console.log(`stopped after ${stoppedAfterMs} ms`)
  const startMs = await instance.afterMs('its first line', () => true)
  expect(stoppedAfterMs, instance.tail()).toBeLessThan(Math.max(2 * stopLimitMs, stopToStart * startMs))
  return { [stoppedAfterMs <= stopLimitMs ? 'stopped within 1 s' : 'stopped later']: 1 }
}

/** The next instance counts everything. */
async function countedByAnother(
  application: Application,
  logins: readonly { readonly valid: boolean }[],
  outcomes: Outcomes,
): Promise<Figures> {
  const next = application.start()
  await expectExact(application, countOf(logins))
  expect(await next.stop()).toBe(0)
  await expectStoresAgree(application)
  return { logins: logins.length, faults: 1, stalledMs: null, outcomes }
}

if (unavailable.tmpfs !== null) test.skip(`${row}: at the start and while restoring (${unavailable.tmpfs})`)
else {
  faultRounds(row, 'the disk is full at the start', { short: 1, long: 5 }, (round) =>
    atStart(round, /no space left/i, (disk) => {
      disk.fill()
      return () => disk.free()
    }),
  )
  const setReadOnly = (disk: TmpfsDisk): (() => void) => {
    disk.setReadOnly(true)
    return () => disk.setReadOnly(false)
  }
  faultRounds(row, 'the state directory is read-only at the start', { short: 1, long: 5 }, (round) =>
    atStart(round, /read-only/i, setReadOnly),
  )
  // There, not even a directory can be made.
  faultRounds(
    row,
    'the state directory is read-only at the very first start',
    { short: 1, long: 5 },
    (round) => atStart(round, /read-only/i, setReadOnly, false),
  )
  faultRounds(row, 'the disk gets full while a store is restored', { short: 1, long: 5 }, whileRestoring)
}
faultRounds(row, 'the state directory cannot be made', { short: 1, long: 5 }, cannotBeMade)

/** An instance that finds the fault there when it starts, with the state of one before or without. */
async function atStart(
  round: Round,
  reason: RegExp,
  inflict: (disk: TmpfsDisk) => () => void,
  hasState = round.random.chance(0.7),
): Promise<Figures> {
  const disk = mounted(new TmpfsDisk('200m'))
  const application = newApplication({ STATE_DIR: disk.directory, ...dimensions(round) })
  await application.createInput(2)
  const logins = await application.produceLogins(5000, loginOptions(round))
  if (hasState) {
    const first = application.start()
    await expectExact(application, countOf(logins))
    if (round.random.chance(0.5)) await first.stop()
    else await first.kill()
  }
  const mend = inflict(disk)
  const outcomes = await expectStopsAtOnce(application, disk.directory, reason)
  mend()
  logins.push(...(await application.produceLogins(5000, loginOptions(round))))
  return countedByAnother(application, logins, outcomes)
}

async function expectStopsAtOnce(
  application: Application,
  directory: string,
  reason: RegExp,
  settings: Record<string, string> = {},
): Promise<Outcomes> {
  const instance = application.start(settings)
  const hit = await instance.line('the fault is met', tellsOfState)
  return expectStops(instance, hit, directory, reason)
}

/** Of a task that fails, or of the whole process. */
function tellsOfState({ code, failure }: LogLine): boolean {
  return errorsOfState.includes(String(code ?? failure))
}

async function whileRestoring(round: Round): Promise<Figures> {
  const disk = mounted(new TmpfsDisk('200m'))
  const application = newApplication({ STATE_DIR: disk.directory, DIMENSIONS: 'user_id' })
  await application.createInput(2)
  const logins = await application.produceLogins(60_000, loginOptions(round))
  const first = application.start()
  await expectExact(application, countOf(logins))
  await first.stop()
  rmSync(join(disk.directory, application.config.appId), { recursive: true })
  // Room for some of it: all of it takes more than 2 MB.
  disk.resize(`${1000 + round.random.below(1000)}k`)
  const outcomes = await expectStopsAtOnce(application, disk.directory, /no space left/i)
  disk.resize('200m')
  return countedByAnother(application, logins, outcomes)
}

async function cannotBeMade(round: Round): Promise<Figures> {
  const application = newApplication()
  await application.createInput(1)
  const logins = await application.produceLogins(1000, loginOptions(round))
  const path = join(application.stateDir, 'a-file')
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, '')
  const outcomes = await expectStopsAtOnce(application, path, /ENOTDIR/, { STATE_DIR: join(path, 'state') })
  return countedByAnother(application, logins, outcomes)
}
