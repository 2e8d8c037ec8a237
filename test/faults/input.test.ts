import { afterEach, expect } from 'vitest'
import { createKafkajsWire } from '../../src/kafka/wire/kafkajs-wire.ts'
import { Xoshiro128 } from '../../src/login-stats/generator/xoshiro128.ts'
import { systemClock } from '../../src/system/clock.ts'
import { createLogger } from '../../src/system/logger.ts'
import { readCommitted } from '../../src/verify/index.ts'
import { Application } from '../support/application.ts'
import { badRecords } from '../support/bad-records.ts'
import { cleanUpAll, cleanUpLater } from '../support/clean-ups.ts'
import { type Figures, faultRounds, type Round } from '../support/fault-rounds.ts'
import { add, type Counts, HistoryWriter } from '../support/histories.ts'
import { wipes } from '../support/instance.ts'
import { expectExact } from '../support/oracle.ts'
import { ProgressWatch } from '../support/progress.ts'
import { expectStoresAgree } from '../support/store-check.ts'
import { WrongCounts } from '../support/wrong-counts.ts'

let application: Application

afterEach(cleanUpAll)

/** Histories are written to so many partitions at once. */
const historyPartitions = 8

/**
 * 10,000 histories in the long column: 10 rounds of 1000. The processor reads while they are written, and is killed twice, so that
 * its reading begins in the middle of transactions.
 */
faultRounds(
  'input written by aborted, overlapping transactions',
  'random histories',
  { taste: 1, short: 1, long: 10, timeoutMs: 400_000 },
  async (round) => {
    const historyCount = round.column === 'long' ? 1000 : round.column === 'short' ? 200 : 24
    application = new Application('histories', { DIMENSIONS: 'locale' })
    cleanUpLater(() => application.close())
    await application.createInput(historyPartitions)
    let instance = application.start()
    const writing = writeHistories(round, historyCount)
    // Awaited after what may fail before.
    writing.catch(() => undefined)
    for (let kills = 0; kills < 2; kills++) {
      await systemClock.sleep(round.random.below(historyCount * 15))
      await instance.kill()
      instance = application.start()
    }
    const { counted, dropped } = await writing
    const valid = [...counted.values()].reduce((sum, count) => sum + count, 0)
    await expectExact(application, { valid, invalid: 0 }, 120_000)
    // The recount could make the same mistake as the processor; the test knows what it has committed.
    expectEqualCounts(await tableOf(application), counted)
    expect(dropped).toBeGreaterThan(0)
    expect(wipes(instance)).toEqual([])
    expect(await instance.stop()).toBe(0)
    await expectStoresAgree(application)
    // Where a transaction is open, nobody can make progress.
    return { logins: valid, faults: historyCount, stalledMs: null }
  },
)

async function writeHistories(
  { random, column }: Round,
  historyCount: number,
): Promise<{ counted: Counts; dropped: number }> {
  const { brokers, inputTopic } = application.config
  const wire = createKafkajsWire({
    bootstrapServers: brokers,
    clientId: 'histories',
    clock: systemClock,
    log: createLogger({ level: 'silent' }),
  })
  const { controllerId: nodeId } = await wire.send(
    'bootstrap',
    'Metadata',
    { topics: [] },
    { timeoutMs: 10_000, lane: 'control' },
  )
  const writers = Array.from({ length: historyPartitions }, (_, partition) => {
    const ownRandom = new Xoshiro128(random.uint32())
    const target = { wire, nodeId, lane: `partition ${partition}` }
    return new HistoryWriter(target, { topic: inputTopic, partition }, ownRandom)
  })
  let left = historyCount
  try {
    await Promise.all(
      writers.map(async (writer, partition) => {
        await writer.init()
        while (left-- > 0) await writer.write()
        // The broker looks for transactions that are too old every ten seconds.
        await writer.close(partition === 0 && column !== 'taste')
      }),
    )
  } finally {
    await wire.close()
  }
  const counted: Counts = new Map()
  for (const writer of writers) for (const [locale, count] of writer.counted) add(counted, locale, count)
  return { counted, dropped: writers.reduce((sum, writer) => sum + writer.dropped, 0) }
}

/** The last count of each locale. */
async function tableOf({ config }: Application): Promise<Counts> {
  const counts: Counts = new Map()
  await readCommitted({ brokers: config.brokers }, config.outputTopic, { clock: systemClock }, (record) => {
    const [dimension, locale = ''] = String(record.key).split(':')
    if (dimension === 'locale')
      counts.set(locale, (JSON.parse(String(record.value)) as { count: number }).count)
  })
  return counts
}

function expectEqualCounts(table: Counts, counted: Counts): void {
  const locales = [...new Set([...table.keys(), ...counted.keys()])]
  const wrong = locales.filter((locale) => table.get(locale) !== counted.get(locale))
  const some = wrong
    .slice(0, 10)
    .map((locale) => `${locale}: ${table.get(locale)}, not ${counted.get(locale)}`)
  if (wrong.length > 0) throw new WrongCounts(some.join('\n'), wrong.length)
}

faultRounds(
  'bad records: random bytes, broken JSON, wrong types, `__proto__`, 1 MB',
  'each once in the dead-letter topic, unchanged',
  { taste: 1, short: 1, long: 1, timeoutMs: 900_000 },
  async (round): Promise<Figures> => {
    const badCount = round.column === 'long' ? 1_000_000 : 1000
    application = new Application('bad-records', { MAX_STALL_MS: '60000' })
    cleanUpLater(() => application.close())
    await application.createInput(4)
    const instance = application.start()
    const watch = new ProgressWatch(application)
    cleanUpLater(async () => void (await watch.end()))
    const expected = { valid: 0, invalid: 0 }
    await application.produce(
      (function* () {
        for (const { isValid, ...record } of badRecords(round.random, badCount)) {
          expected[isValid ? 'valid' : 'invalid']++
          yield record
        }
      })(),
    )
    await expectExact(application, expected, 600_000)
    expect(expected.invalid).toBe(badCount)
    await expectLetters(badCount)
    expect(await instance.stop(), instance.tail()).toBe(0)
    await expectStoresAgree(application)
    return {
      logins: expected.valid + expected.invalid,
      faults: expected.invalid,
      stalledMs: await watch.end(),
    }
  },
)

/** What the recount does not look at: the headers. Their places are compared with the input by the recount. */
async function expectLetters(count: number): Promise<void> {
  const { brokers, dlqTopic, inputTopic } = application.config
  const places = new Set<string>()
  const traces = new Set<string>()
  let wrong = 0
  let cut = 0
  await readCommitted(
    { brokers },
    dlqTopic ?? '',
    { clock: systemClock },
    ({ headers, value }, partition) => {
      const texts = new Map(headers.map(([name, bytes]) => [name, String(bytes)]))
      places.add(`${partition}:${texts.get('source.offset')}`)
      // The record's own header comes first.
      const [first] = headers
      traces.add(first?.[0] === 'trace' ? String(first[1]) : '')
      if (texts.has('error.truncated')) {
        cut++
        if (Number(texts.get('error.truncated')) <= (value?.length ?? 0)) wrong++
      }
      const isRight =
        /^[A-Z_]+$/.test(texts.get('error') ?? '') &&
        (texts.get('error.message') ?? '') !== '' &&
        texts.get('source.topic') === inputTopic &&
        texts.get('source.partition') === String(partition) &&
        /^\d{13}$/.test(texts.get('source.timestamp') ?? '')
      if (!isRight) wrong++
    },
  )
  const lacking = 2 * count - places.size - traces.size
  if (wrong !== 0 || lacking !== 0)
    throw new WrongCounts(
      `of ${count} letters ${wrong} are wrong; ${places.size} places, ${traces.size} traces`,
      wrong + Math.abs(lacking),
    )
  expect(cut).toBeGreaterThan(0)
}
