import { cpSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect } from 'vitest'
import type { GeneratedLogin } from '../../src/login-stats/generator/login-generator.ts'
import { keySpace, seal } from '../../src/streams/store/envelope.ts'
import {
  type CommitRecord,
  type IdentityRecord,
  metaKey,
  metaPut,
  readMeta,
} from '../../src/streams/store/store-meta.ts'
import { Application } from '../support/application.ts'
import {
  entriesOf,
  filesOf,
  flipBit,
  flipByteAt,
  largest,
  StateCopy,
  slotOf,
  stateFilesOf,
  storeOf,
  withDatabase,
  zeroPage,
} from '../support/damage.ts'
import { type Figures, faultRounds, type Round } from '../support/fault-rounds.ts'
import { type Instance, killAllInstances, wipes } from '../support/instance.ts'
import { countOf, expectExact } from '../support/oracle.ts'
import { expectStoresAgree } from '../support/store-check.ts'

const row = 'store damage, each kind of section 4; random bit flips'
/** Each has a small store, and a damage of its own. */
const tasks = ['1_0', '1_1', '1_2', '1_3'] as const

const cleanUps: (() => void | Promise<void>)[] = []

afterEach(async () => {
  await killAllInstances()
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
})

type Ending = 'kill' | 'stop'

/** An application that has ended, and copies of its state directory to inflict damage on, time and again. */
class Patient {
  readonly application: Application
  readonly logins: GeneratedLogin[] = []
  readonly older: StateCopy
  readonly newer: StateCopy

  /**
   * After two sessions, so that there are tables, which the second has made of the first one's log, and a log. Invalid logins
   * depend on the dimensions; there are none.
   */
  static async prepare(
    ending: Ending,
    settings: Record<string, string> = {},
    count = 6000,
  ): Promise<Patient> {
    const application = new Application('damage', settings)
    cleanUps.push(() => application.close())
    await application.createInput(tasks.length)
    const logins: GeneratedLogin[] = []
    const copies: StateCopy[] = []
    for (const session of [1, 2]) {
      const instance = application.start()
      logins.push(...(await application.produceLogins(count, { invalidShare: 0 })))
      await expectExact(application, countOf(logins))
      if (session === 1 || ending === 'stop') expect(await instance.stop()).toBe(0)
      else await instance.kill()
      copies.push(new StateCopy(application, session))
    }
    const [older, newer] = copies
    if (older === undefined || newer === undefined) throw new Error('two copies were made')
    return new Patient(application, logins, older, newer)
  }

  private constructor(
    application: Application,
    logins: GeneratedLogin[],
    older: StateCopy,
    newer: StateCopy,
  ) {
    this.application = application
    this.logins = logins
    this.older = older
    this.newer = newer
  }

  /** More logins, of users that were counted before. */
  async produce(count: number): Promise<void> {
    this.logins.push(...(await this.application.produceLogins(count, { invalidShare: 0 })))
  }

  /** Rejects at once if the instance ends before. */
  async expectExact(instance: Instance): Promise<void> {
    const ended = instance.exited.then((code) => {
      throw new Error(`ended with ${code}\n${instance.tail()}`)
    })
    await Promise.race([expectExact(this.application, countOf(this.logins)), ended])
  }

  /** What an instance makes of the state directory as it is: the stores it wipes, by task. More logins are counted exactly. */
  async run(): Promise<Map<string, string>> {
    const instance = this.application.start()
    await this.produce(1000)
    await this.expectExact(instance)
    const wiped = wipedStores(instance)
    expect(await instance.stop(), instance.tail()).toBe(0)
    await expectStoresAgree(this.application)
    return wiped
  }
}

function wipedStores(instance: Instance): Map<string, string> {
  return new Map(wipes(instance).map(({ task, reason }) => [String(task), String(reason)]))
}

interface Victim {
  readonly task: string
  /** The directory of the store. */
  readonly store: string
  /** The same one as it was after the session before. */
  readonly older: string
  /** An undamaged store of another task. */
  readonly other: string
  readonly round: Round
}

interface Kind {
  readonly name: string
  /** The reasons for which it may be wiped; `kept`: it need not be. */
  readonly outcomes: readonly string[]
  inflict(victim: Victim): void | Promise<void>
}

const damaged = ['damaged']

const kinds: readonly Kind[] = [
  {
    name: 'a flipped byte in the log',
    outcomes: damaged,
    inflict: ({ store }) => flipByteAt(largest(store, '.log'), 0.4),
  },
  {
    name: 'a flipped byte in a table',
    outcomes: damaged,
    inflict: ({ store }) => flipByteAt(largest(store, '.ldb'), 0.3),
  },
  {
    name: 'a flipped byte in the MANIFEST',
    outcomes: damaged,
    inflict: ({ store }) => flipByteAt(largest(store, 'MANIFEST'), 0.5),
  },
  { name: 'no CURRENT', outcomes: damaged, inflict: ({ store }) => rmSync(join(store, 'CURRENT')) },
  {
    name: 'an empty CURRENT',
    outcomes: damaged,
    inflict: ({ store }) => truncateSync(join(store, 'CURRENT')),
  },
  {
    name: 'a CURRENT that names another MANIFEST',
    outcomes: damaged,
    inflict: ({ store }) => writeFileSync(join(store, 'CURRENT'), 'MANIFEST-999999\n'),
  },
  { name: 'no MANIFEST', outcomes: damaged, inflict: ({ store }) => rmSync(largest(store, 'MANIFEST')) },
  {
    name: 'an empty MANIFEST',
    outcomes: damaged,
    inflict: ({ store }) => truncateSync(largest(store, 'MANIFEST')),
  },
  { name: 'a table that is gone', outcomes: damaged, inflict: ({ store }) => rmSync(largest(store, '.ldb')) },
  {
    name: 'a table cut short',
    outcomes: damaged,
    inflict: ({ store }) => truncateSync(largest(store, '.ldb'), 1000),
  },
  // Power lost before all of it was written: an older state, which the changelog brings up to date.
  {
    name: 'a log cut short',
    outcomes: ['kept'],
    inflict: ({ store, round }) => {
      truncateSync(largest(store, '.log'), round.random.below(20_000))
    },
  },
  {
    name: 'a log that is gone',
    outcomes: ['kept', 'damaged'],
    inflict: ({ store }) => rmSync(largest(store, '.log')),
  },
  // Power lost when a later page was written, and an earlier one was not.
  {
    name: 'a hole in the log',
    outcomes: damaged,
    inflict: ({ store }) => zeroPage(largest(store, '.log'), 1),
  },
  {
    name: 'the store as it was before',
    outcomes: ['kept'],
    inflict: ({ store, older }) => {
      rmSync(store, { recursive: true })
      cpSync(older, store, { recursive: true })
    },
  },
  {
    name: 'the store of another task',
    outcomes: ['foreign'],
    inflict: ({ store, other }) => {
      rmSync(store, { recursive: true })
      cpSync(other, store, { recursive: true })
    },
  },
  {
    name: 'a store of another cluster',
    outcomes: ['foreign'],
    inflict: ({ store }) => changeIdentity(store, { clusterId: 'another' }),
  },
  {
    name: 'a store of a topic that was deleted',
    outcomes: ['foreign'],
    inflict: ({ store }) => changeIdentity(store, { changelogTopicId: 'another' }),
  },
  { name: 'a store of an older format', outcomes: ['format'], inflict: ({ store }) => setFormat(store, 0) },
  {
    name: 'a store older than what the changelog keeps of deletions',
    outcomes: ['too-old'],
    inflict: ({ store }) =>
      changeCommit(store, (commit) => ({ ...commit, committedAtMs: commit.committedAtMs - 90_000_000 })),
  },
  {
    name: 'a position beyond the end of the changelog',
    outcomes: ['beyond-end'],
    inflict: ({ store }) =>
      changeCommit(store, (commit) => ({
        ...commit,
        changelogPosition: commit.changelogPosition + 1_000_000,
      })),
  },
  {
    name: 'a lost entry',
    outcomes: damaged,
    inflict: ({ store, round }) => loseEntry(store, keySpace.data, round),
  },
  {
    name: 'a lost index entry',
    outcomes: damaged,
    inflict: ({ store, round }) => loseEntry(store, keySpace.index, round),
  },
  {
    name: 'an older value of a key',
    outcomes: damaged,
    inflict: ({ store, older }) => takeOlderValue(store, older),
  },
  {
    name: 'a meta record that is gone',
    outcomes: damaged,
    inflict: ({ store, round }) => loseEntry(store, keySpace.meta, round),
  },
  {
    name: 'a meta record that does not fit its checksum',
    outcomes: damaged,
    inflict: ({ store }) =>
      withDatabase(store, (database) =>
        database.batch(
          [{ type: 'put', key: metaKey('commit'), value: Buffer.from('{"changelogPosition":7}') }],
          {
            sync: true,
          },
        ),
      ),
  },
]

function changeIdentity(store: string, change: Partial<IdentityRecord['identity']>): Promise<void> {
  return withDatabase(store, async (database) => {
    const found = readMeta('identity', database.getSync(metaKey('identity')))
    if (found.state !== 'good') throw new Error(found.state)
    const { record } = found
    await database.batch([metaPut('identity', { ...record, identity: { ...record.identity, ...change } })], {
      sync: true,
    })
  })
}

function changeCommit(store: string, change: (commit: CommitRecord) => CommitRecord): Promise<void> {
  return withDatabase(store, async (database) => {
    const found = readMeta('commit', database.getSync(metaKey('commit')))
    if (found.state !== 'good') throw new Error(found.state)
    await database.batch([metaPut('commit', change(found.record))], { sync: true })
  })
}

function setFormat(store: string, version: number): Promise<void> {
  const { key, value } = seal(keySpace.meta, Buffer.from('commit'), Buffer.of(version))
  return withDatabase(store, (database) => database.batch([{ type: 'put', key, value }], { sync: true }))
}

function loseEntry(store: string, space: number, { random }: Round): Promise<void> {
  return withDatabase(store, async (database) => {
    const entries = await entriesOf(database, space)
    const lost = entries[random.below(entries.length)]
    if (lost === undefined) throw new Error('there is no entry')
    await database.batch([{ type: 'del', key: lost[0] }], { sync: true })
  })
}

/** With its checksum, as a write that got lost leaves it. */
async function takeOlderValue(store: string, older: string): Promise<void> {
  const before = new Map<string, Buffer>()
  await withDatabase(older, async (database) => {
    for (const [key, value] of await entriesOf(database, keySpace.data))
      before.set(key.toString('latin1'), value)
  })
  await withDatabase(store, async (database) => {
    for (const [key, value] of await entriesOf(database, keySpace.data)) {
      const old = before.get(key.toString('latin1'))
      if (old === undefined || old.equals(value)) continue
      await database.batch([{ type: 'put', key, value: old }], { sync: true })
      return
    }
    throw new Error('no value has changed')
  })
}

faultRounds(row, 'each kind, after a kill', { short: 1, long: 3, timeoutMs: 300_000 }, (round) =>
  eachKind(round, 'kill'),
)
faultRounds(row, 'each kind, after a clean stop', { short: 1, long: 3, timeoutMs: 300_000 }, (round) =>
  eachKind(round, 'stop'),
)

async function eachKind(round: Round, ending: Ending): Promise<Figures> {
  // Keys enough for logs of many pages.
  const patient = await Patient.prepare(ending, { DIMENSIONS: 'user_id' })
  const { application } = patient
  const outcomes: Record<string, number> = {}
  for (let first = 0; first < kinds.length; first += tasks.length) {
    patient.newer.putBack()
    const group = kinds.slice(first, first + tasks.length)
    for (const [index, kind] of group.entries()) {
      const task = tasks[index] ?? ''
      const other = tasks[(index + 1) % tasks.length] ?? ''
      await kind.inflict({
        task,
        store: storeOf(application, task),
        older: patient.older.storeOf(task),
        other: patient.newer.storeOf(other),
        round,
      })
    }
    const wiped = await patient.run()
    for (const [index, { name, outcomes: expected }] of group.entries()) {
      const outcome = wiped.get(tasks[index] ?? '') ?? 'kept'
      expect(expected, name).toContain(outcome)
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
    }
  }
  return figures(patient, kinds.length, outcomes)
}

function figures({ logins }: Patient, faults: number, outcomes: Record<string, number>): Figures {
  console.log(`${faults} faults: ${JSON.stringify(outcomes)}`)
  return { logins: logins.length, faults, stalledMs: 0, outcomes }
}

faultRounds(row, 'a store of a newer format', { short: 1, long: 3 }, async () => {
  const patient = await Patient.prepare('stop')
  const { application } = patient
  await setFormat(storeOf(application, '1_0'), 99)
  const refusing = application.start()
  expect(await refusing.exited, refusing.tail()).toBe(1)
  expect(refusing.log.findLast(({ code }) => code !== undefined)?.code).toBe('FORMAT_TOO_NEW')
  expect(wipes(refusing)).toEqual([])
  patient.newer.putBack()
  expect(await patient.run()).toEqual(new Map())
  return figures(patient, 1, { FORMAT_TOO_NEW: 1 })
})

faultRounds(row, 'the files beside the stores', { short: 1, long: 3 }, async ({ random }) => {
  const patient = await Patient.prepare('stop')
  const slot = slotOf(patient.application)
  const faults: (() => void)[] = [
    () => flipBit(join(slot, 'instance-id'), random),
    () => truncateSync(join(slot, 'instance-id')),
    () => rmSync(join(slot, 'instance-id')),
    () => rmSync(join(slot, 'lock', 'CURRENT')),
    () => truncateSync(largest(join(slot, 'lock'), 'MANIFEST')),
  ]
  for (const inflict of faults) {
    patient.newer.putBack()
    inflict()
    expect(await patient.run()).toEqual(new Map())
  }
  return figures(patient, faults.length, { kept: faults.length })
})

/** More entries than are scanned at each opening. */
const manyKeys = { DIMENSIONS: 'user_id+app_version', STATS_PARTITIONS: '1' }

faultRounds(
  row,
  'a machine that went down under a large store: whole, and with a lost entry',
  { short: 1, long: 5, timeoutMs: 300_000 },
  async (round) => {
    const patient = await Patient.prepare('kill', manyKeys, 40_000)
    const store = storeOf(patient.application, '1_0')
    const goDown = (): Promise<void> =>
      withDatabase(store, (database) =>
        database.batch([metaPut('session', { bootId: 'before', clean: false })], { sync: true }),
      )
    await withDatabase(store, async (database) => {
      expect((await entriesOf(database, keySpace.data)).length).toBeGreaterThan(20_000)
    })
    await goDown()
    expect(await patient.run()).toEqual(new Map())
    patient.newer.putBack()
    await loseEntry(store, keySpace.data, round)
    await goDown()
    expect(await patient.run()).toEqual(new Map([['1_0', 'damaged']]))
    return figures(patient, 2, { kept: 1, damaged: 1 })
  },
)

// In the long column 200 flips in all.
faultRounds(
  row,
  'random bit flips, after a kill',
  { taste: 1, short: 1, long: 5, timeoutMs: 300_000 },
  (round) => flips(round, 'kill'),
)
faultRounds(row, 'random bit flips, after a clean stop', { short: 1, long: 5, timeoutMs: 300_000 }, (round) =>
  flips(round, 'stop'),
)

/** One in each store, in any file of it. */
async function flips(round: Round, ending: Ending): Promise<Figures> {
  const starts = { taste: 1, short: 3, long: 5 }[round.column]
  const patient = await Patient.prepare(ending, round.random.chance(0.5) ? { DIMENSIONS: 'user_id' } : {})
  const outcomes: Record<string, number> = { kept: 0, damaged: 0 }
  for (let start = 0; start < starts; start += 1) {
    patient.newer.putBack()
    const places = new Map<string, string>()
    for (const task of tasks) {
      const files = stateFilesOf(storeOf(patient.application, task))
      places.set(task, flipBit(files[round.random.below(files.length)] ?? '', round.random))
    }
    const wiped = await patient.run()
    for (const [task, place] of places) {
      const outcome = wiped.get(task) ?? 'kept'
      expect(['kept', 'damaged'], place).toContain(outcome)
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
    }
  }
  return figures(patient, starts * tasks.length, outcomes)
}

faultRounds(
  row,
  'bits of tables flipped under an open store',
  { short: 1, long: 5, timeoutMs: 300_000 },
  openFlips,
)

/** What is read after that is not in memory yet: by logins of some of the users, and by the clock of all. */
async function openFlips({ random }: Round): Promise<Figures> {
  const patient = await Patient.prepare('stop', { DIMENSIONS: 'user_id' }, 10_000)
  const { application } = patient
  const flipsPerStore = random.pick([1, 2, 5, 10])
  const instance = application.start()
  for (const task of tasks) {
    await instance.line('restored', (line) => line.msg === 'Store restored' && line.task === task)
  }
  for (const task of tasks) {
    // The newest table of a key is the one that is read.
    const tables = filesOf(storeOf(application, task), '.ldb')
    for (let flip = 0; flip < flipsPerStore; flip += 1) {
      flipBit(tables[random.below(tables.length)] ?? '', random)
    }
  }
  await patient.produce(random.pick([100, 1000, 10_000]))
  await patient.expectExact(instance)
  const wiped = wipedStores(instance)
  expect(await instance.stop(), instance.tail()).toBe(0)
  const atNextStart = await patient.run()
  const harmless = tasks.filter((task) => !wiped.has(task) && !atNextStart.has(task)).length
  return figures(patient, flipsPerStore * tasks.length, {
    'stores wiped while open': wiped.size,
    'stores wiped by the next start': atNextStart.size,
    'stores kept': harmless,
  })
}
