import { rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect } from 'vitest'
import type { GeneratedLogin } from '../../src/login-stats/generator/login-generator.ts'
import type { Xoshiro128 } from '../../src/login-stats/generator/xoshiro128.ts'
import { keySpace } from '../../src/streams/store/envelope.ts'
import { metaPut } from '../../src/streams/store/store-meta.ts'
import { Application } from '../support/application.ts'
import { cleanUpAll, cleanUpLater } from '../support/clean-ups.ts'
import {
  entriesOf,
  filesOf,
  flipBit,
  largest,
  StateCopy,
  slotOf,
  stateFilesOf,
  storeOf,
  withDatabase,
} from '../support/damage.ts'
import { kinds, loseEntry, setFormat } from '../support/damage-kinds.ts'
import { type Figures, faultRounds, type Round } from '../support/fault-rounds.ts'
import { type Instance, wipes } from '../support/instance.ts'
import { countOf, expectExact } from '../support/oracle.ts'
import { expectStoresAgree } from '../support/store-check.ts'

const row = 'store damage, each kind of section 4; random bit flips'
/** Each has a small store, and a damage of its own. */
const tasks = ['1_0', '1_1', '1_2', '1_3'] as const

afterEach(cleanUpAll)

type Ending = 'kill' | 'stop'

/** An application that has ended, and copies of its state directory to inflict damage on, time and again. */
class Patient {
  readonly application: Application
  readonly logins: GeneratedLogin[] = []
  readonly older: StateCopy
  readonly newer: StateCopy
  /** One for all logins: users are drawn from it. */
  readonly #seed: number

  /**
   * After two sessions, so that there are tables, which the second has made of the first one's log, and a log. Invalid logins
   * depend on the dimensions; there are none.
   */
  static async prepare(
    random: Xoshiro128,
    ending: Ending,
    settings: Record<string, string> = {},
    count = 6000,
  ): Promise<Patient> {
    const application = new Application('damage', settings)
    cleanUpLater(() => application.close())
    await application.createInput(tasks.length)
    const seed = random.uint32()
    const logins: GeneratedLogin[] = []
    const copies: StateCopy[] = []
    for (const session of [1, 2]) {
      const instance = application.start()
      logins.push(...(await application.produceLogins(count, { seed, invalidShare: 0 })))
      await expectExact(application, countOf(logins))
      if (session === 1 || ending === 'stop') expect(await instance.stop()).toBe(0)
      else await instance.kill()
      copies.push(new StateCopy(application, session))
    }
    const [older, newer] = copies
    if (older === undefined || newer === undefined) throw new Error('two copies were made')
    return new Patient(application, seed, logins, older, newer)
  }

  private constructor(
    application: Application,
    seed: number,
    logins: GeneratedLogin[],
    older: StateCopy,
    newer: StateCopy,
  ) {
    this.application = application
    this.#seed = seed
    this.logins = logins
    this.older = older
    this.newer = newer
  }

  /** More logins, of users that were counted before. */
  async produce(count: number): Promise<void> {
    this.logins.push(...(await this.application.produceLogins(count, { seed: this.#seed, invalidShare: 0 })))
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

faultRounds(row, 'each kind, after a kill', { short: 1, long: 3, timeoutMs: 300_000 }, (round) =>
  eachKind(round, 'kill'),
)
faultRounds(row, 'each kind, after a clean stop', { short: 1, long: 3, timeoutMs: 300_000 }, (round) =>
  eachKind(round, 'stop'),
)

async function eachKind(round: Round, ending: Ending): Promise<Figures> {
  // Keys enough for logs of many pages.
  const patient = await Patient.prepare(round.random, ending, { DIMENSIONS: 'user_id' })
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
        random: round.random,
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
  return { logins: logins.length, faults, stalledMs: null, outcomes }
}

faultRounds(row, 'a store of a newer format', { short: 1, long: 3 }, async ({ random }) => {
  const patient = await Patient.prepare(random, 'stop')
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
  const patient = await Patient.prepare(random, 'stop')
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
    const patient = await Patient.prepare(round.random, 'kill', manyKeys, 40_000)
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
    await loseEntry(store, keySpace.data, round.random)
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
  const patient = await Patient.prepare(
    round.random,
    ending,
    round.random.chance(0.5) ? { DIMENSIONS: 'user_id' } : {},
  )
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
  const patient = await Patient.prepare(random, 'stop', { DIMENSIONS: 'user_id' }, 10_000)
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
