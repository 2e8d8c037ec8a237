import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect } from 'vitest'
import { startLocalKafka } from '../../src/local-kafka/index.ts'
import type { GeneratedLogin } from '../../src/login-stats/generator/login-generator.ts'
import type { Xoshiro128 } from '../../src/login-stats/generator/xoshiro128.ts'
import { systemClock } from '../../src/system/clock.ts'
import { readBatches } from '../../src/verify/index.ts'
import { Application } from '../support/application.ts'
import {
  alterChangelog,
  batchesOf,
  changelogOf,
  compactedUntil,
  createChangelog,
  ForeignTransaction,
  rangeOf,
  truncateChangelog,
} from '../support/changelog.ts'
import { cleanUpAll, cleanUpLater } from '../support/clean-ups.ts'
import { StateCopy } from '../support/damage.ts'
import { type Figures, faultRounds, type Round } from '../support/fault-rounds.ts'
import type { Instance } from '../support/instance.ts'
import { countOf, expectExact } from '../support/oracle.ts'
import { expectStoresAgree } from '../support/store-check.ts'

const row =
  'changelog: aborted tail, empty batches, markers only, compaction during restore, truncated below the position, recreated'
const counts = { short: 1, long: 5, timeoutMs: 240_000 } as const

afterEach(cleanUpAll)

/** An application whose changelog has one partition, and what was written to its input. */
class Counting {
  readonly application: Application
  readonly logins: GeneratedLogin[] = []
  /** One for all logins: users are drawn from it. */
  readonly #seed: number

  static async start(
    random: Xoshiro128,
    settings: Record<string, string> = {},
    changelog: Record<string, string> | null = null,
  ): Promise<Counting> {
    const application = new Application('changelog', { STATS_PARTITIONS: '1', ...settings })
    cleanUpLater(() => application.close())
    await application.createInput(2)
    if (changelog !== null) await createChangelog(application, changelog)
    return new Counting(application, random.uint32())
  }

  private constructor(application: Application, seed: number) {
    this.application = application
    this.#seed = seed
  }

  /** All valid, for it depends on the dimensions which others are not. */
  async produce(count: number, options: { batch?: number; pauseMs?: number } = {}): Promise<void> {
    const logins = await this.application.produceLogins(count, {
      seed: this.#seed,
      invalidShare: 0,
      ...options,
    })
    this.logins.push(...logins)
  }

  expectExact(): Promise<unknown> {
    return expectExact(this.application, countOf(this.logins))
  }

  /** An instance that counts so many more and stops. */
  async session(count: number): Promise<Instance> {
    const instance = this.application.start()
    await this.produce(count)
    await this.expectExact()
    expect(await instance.stop(), instance.tail()).toBe(0)
    await expectStoresAgree(this.application)
    return instance
  }

  deleteState(): void {
    rmSync(join(this.application.stateDir, this.application.config.appId), { recursive: true, force: true })
  }

  figures(outcomes: Record<string, number> = {}): Figures {
    return { logins: this.logins.length, faults: 1, stalledMs: null, outcomes }
  }
}

/** The code of the error with which a start, or a running instance, ends; it must not take long over it. */
async function endsWith(instance: Instance, timeoutMs = 60_000): Promise<string> {
  const late = systemClock.sleep(timeoutMs).then(() => 'late')
  const ended = await Promise.race([instance.exited, late])
  expect(ended, instance.tail()).toBe(1)
  return String(instance.log.findLast(({ code }) => code !== undefined)?.code)
}

faultRounds(row, 'aborted tail, of others', counts, async ({ random }) => {
  const counting = await Counting.start(random)
  await counting.session(5000)
  const transactions = []
  for (let left = 1 + random.below(4); left > 0; left -= 1) {
    transactions.push(await ForeignTransaction.begin(counting.application))
  }
  for (const transaction of transactions) await transaction.send()
  // They overlap, and end in any order.
  while (transactions.length > 0) {
    const [transaction] = transactions.splice(random.below(transactions.length), 1)
    if (random.chance(0.5)) await transaction?.send()
    await transaction?.abort()
  }
  if (random.chance(0.5)) counting.deleteState()
  await counting.session(2000)
  return counting.figures()
})

faultRounds(row, 'aborted tail, of an instance that was killed', counts, async ({ random }) => {
  const counting = await Counting.start(random)
  await counting.session(5000)
  const step = 2 + random.below(2)
  const doomed = counting.application.start({
    CRASH_AT_STEP: `commit:${step}`,
    CRASH_TASK: '1_',
    CRASH_ROUND: String(1 + random.below(3)),
  })
  // As many commits as it takes.
  for (let left = 200; left > 0 && doomed.isRunning; left -= 1) {
    await counting.produce(50, { pauseMs: 100 })
  }
  expect(doomed.isRunning, doomed.tail()).toBe(false)
  expect(await doomed.exited, doomed.tail()).toBe(null)
  if (random.chance(0.5)) counting.deleteState()
  await counting.session(2000)
  return counting.figures()
})

/** Segments are closed and compacted soon. */
const eager = {
  'segment.ms': '300',
  'min.cleanable.dirty.ratio': '0.001',
  'max.compaction.lag.ms': '500',
}
/** After this a segment is closed by what is written next. */
const segmentMs = 400

faultRounds(row, 'empty batches', counts, async ({ random }) => {
  const counting = await Counting.start(random, {}, eager)
  const { application } = counting
  // A foreign producer's aborted records are what compaction turns into an empty batch at the end of a segment.
  for (let sessions = 2 + random.below(2); sessions > 0; sessions -= 1) {
    await counting.session(3000)
    const foreign = await ForeignTransaction.begin(application)
    await foreign.send()
    await foreign.abort()
    await systemClock.sleep(segmentMs)
  }
  await compactedUntil(application, ({ empty }) => empty > 0)
  counting.deleteState()
  await counting.session(1000)
  return counting.figures()
})

faultRounds(row, 'markers only', counts, async ({ random }) => {
  const counting = await Counting.start(random, {}, eager)
  const { application } = counting
  // First the whole of it, then the part that a store has not seen.
  for (const hasState of [false, true]) {
    const { end } = await rangeOf(application)
    for (let left = 1 + random.below(3); left > 0; left -= 1) {
      const foreign = await ForeignTransaction.begin(application)
      await foreign.send()
      await systemClock.sleep(segmentMs)
      await foreign.abort()
      await systemClock.sleep(segmentMs)
    }
    await compactedUntil(application, ({ records }) => records === 0, end)
    await counting.session(3000)
    if (hasState && random.chance(0.5)) counting.deleteState()
  }
  await counting.session(1000)
  return counting.figures()
})

faultRounds(row, 'compaction during restore', counts, async ({ random }) => {
  const counting = await Counting.start(
    random,
    { DIMENSIONS: 'user_id' },
    {
      'segment.bytes': String(1 << 20),
      'min.compaction.lag.ms': '86400000',
      'min.cleanable.dirty.ratio': '0.001',
    },
  )
  const { application } = counting
  for (let sessions = 3; sessions > 0; sessions -= 1) await counting.session(20_000)
  const before = await batchesOf(application)
  const restoring = await stoppedWhileRestoring(counting, random)
  await alterChangelog(application, { 'min.compaction.lag.ms': '0' })
  await compactedUntil(application, ({ records }) => records < before.records * (0.5 + 0.5 * random.next()))
  restoring.signal('SIGCONT')
  await counting.produce(1000)
  await counting.expectExact()
  expect(await restoring.stop(), restoring.tail()).toBe(0)
  await expectStoresAgree(application)
  return counting.figures()
})

/** An instance that stands still in the middle of a restore. */
async function stoppedWhileRestoring(counting: Counting, random: Xoshiro128): Promise<Instance> {
  for (let attempt = 1; attempt <= 10; attempt += 1) {
    counting.deleteState()
    const restoring = counting.application.start()
    await restoring.line('restoring', ({ task, state }) => task === '1_0' && state === 'restoring')
    await systemClock.sleep((200 * random.next()) / attempt)
    restoring.signal('SIGSTOP')
    // What it has said before may be on its way.
    await systemClock.sleep(200)
    if (restoring.lines('Store restored').length === 0) return restoring
    await restoring.kill()
  }
  throw new Error('the restore was always over before')
}

faultRounds(row, 'truncated below the position: what is there is whole', counts, async ({ random }) => {
  const counting = await Counting.start(random)
  const { application } = counting
  await counting.session(5000)
  const { end } = await rangeOf(application)
  await truncateChangelog(application, 1 + random.below(end))
  const instance = application.start()
  await counting.produce(2000)
  const report = await application.counted()
  // The store has all of it; the changelog lacks what was deleted from it.
  expect(report.differences.filter(({ where }) => where !== 'changelog')).toEqual([])
  expect(report.logins).toEqual(countOf(counting.logins))
  expect(await instance.stop(), instance.tail()).toBe(0)
  return counting.figures({ exact: 1 })
})

faultRounds(row, 'truncated beyond the position', counts, async ({ random }) => {
  const counting = await Counting.start(random)
  const { application } = counting
  await counting.session(5000)
  const copy = new StateCopy(application)
  const { end: position } = await rangeOf(application)
  await counting.session(5000)
  const { end } = await rangeOf(application)
  await truncateChangelog(application, position + 1 + random.below(end - position))
  if (random.chance(0.5)) copy.putBack()
  else counting.deleteState()
  for (const start of [1, 2]) {
    expect(await endsWith(application.start()), `start ${start}`).toBe('OFFSET_OUT_OF_RANGE')
  }
  return counting.figures({ OFFSET_OUT_OF_RANGE: 1 })
})

faultRounds(row, 'recreated while nothing runs', counts, async ({ random }) => {
  const counting = await Counting.start(random)
  const { application } = counting
  await counting.session(5000)
  await application.kafka.admin.deleteTopics([changelogOf(application)])
  const isThere = random.chance(0.5)
  if (isThere) await createChangelog(application)
  const code = await endsWith(application.start())
  expect(['OFFSET_MISMATCH', 'TOPIC_RECREATED']).toContain(code)
  return counting.figures({ [code]: 1 })
})

// Until the new topic is noticed, commits go into it that a later start must not take for all there ever was.
faultRounds(row, 'recreated under a running instance', counts, async ({ random }) => {
  const counting = await Counting.start(random)
  const { application } = counting
  const instance = application.start()
  await counting.produce(5000)
  await counting.expectExact()
  await application.kafka.admin.deleteTopics([changelogOf(application)])
  await systemClock.sleep(300 * random.next())
  await createChangelog(application)
  const producing = counting.produce(10_000, { batch: 250, pauseMs: 100 })
  const outcomes: Record<string, number> = {}
  const note = (code: string): void => {
    outcomes[code] = (outcomes[code] ?? 0) + 1
  }
  if (random.chance(0.5)) note(await endsWith(instance))
  else {
    // Killed before it notices.
    await systemClock.sleep(4000 * random.next())
    await instance.kill()
  }
  await producing
  if (random.chance(0.5)) counting.deleteState()
  note(await endsWith(application.start()))
  for (const code of Object.keys(outcomes)) {
    expect(['OFFSET_MISMATCH', 'TOPIC_RECREATED', 'TOPIC_MISSING']).toContain(code)
  }
  return counting.figures(outcomes)
})

faultRounds(row, 'ends before the position, as after an unclean election of a leader', counts, (round) =>
  endsBefore(round, (batches) => 1 + round.random.below(batches - 1), round.random.below(3)),
)

// The store has all of it, so nothing is to be restored: and yet nobody else can read it.
faultRounds(row, 'ends before the marker of the last transaction, that the store has', counts, (round) =>
  endsBefore(round, (batches) => batches - 1, 2, ['TRANSACTION_HANGING']),
)

const batchHeaderBytes = 61

/**
 * A broker of its own loses the end of the partition, between two batches; `keep`: how many are left. `store`: 0 is that of the first
 * session, 1 none, 2 the last.
 */
async function endsBefore(
  { random }: Round,
  keep: (batches: number) => number,
  store: number,
  codes: readonly string[] = ['OFFSET_MISMATCH', 'TRANSACTION_HANGING'],
): Promise<Figures> {
  const data = mkdtempSync(join(tmpdir(), 'changelog-broker-'))
  cleanUpLater(() => rmSync(data, { recursive: true, force: true }))
  const kafka = await startLocalKafka({ sources: ['maven'], config: { 'log.dirs': data } })
  cleanUpLater(() => kafka.close())
  const counting = await Counting.start(random, {
    KAFKA_BROKERS: kafka.bootstrapServers,
    MAX_STALL_MS: '12000',
  })
  const { application } = counting
  await counting.session(2000)
  const copy = new StateCopy(application)
  await counting.session(5000)
  await kafka.broker(1).kill()
  const partition = join(data, `${changelogOf(application)}-0`)
  const log = join(partition, '00000000000000000000.log')
  const batches = [...readBatches(readFileSync(log))]
  const size = batches
    .slice(0, keep(batches.length))
    .reduce((sum, { body }) => sum + batchHeaderBytes + body.length, 0)
  truncateSync(log, size)
  for (const name of readdirSync(partition)) {
    if (name.endsWith('index') || name.endsWith('.snapshot')) rmSync(join(partition, name))
  }
  await kafka.broker(1).start()
  if (store === 0) copy.putBack()
  else if (store === 1) counting.deleteState()
  const code = await endsWith(application.start(), 90_000)
  // Where a transaction has lost its marker, Kafka keeps it open for ever.
  expect(codes).toContain(code)
  return counting.figures({ [code]: 1 })
}
