/**
 * What the logs of the simulated broker must say once everything is counted. The recount is that of `src/verify`, which shares no
 * code with the engine.
 */
import { Changelog } from '../../src/verify/changelog.ts'
import { compare } from '../../src/verify/compare.ts'
import { DeadLetters } from '../../src/verify/dead-letters.ts'
import { Differences } from '../../src/verify/differences.ts'
import { Ledger } from '../../src/verify/ledger.ts'
import { readAnswer } from '../../src/verify/read-committed.ts'
import type { KafkaRecord } from '../../src/verify/record-batch.ts'
import { Recount, type RecountRules } from '../../src/verify/recount.ts'
import { Table } from '../../src/verify/table.ts'
import type { SimulatedBroker } from './broker/simulated-broker.ts'

export interface OracleOptions {
  readonly broker: SimulatedBroker
  readonly appId: string
  readonly inputTopic: string
  readonly outputTopic: string
  readonly dlqTopic: string
  readonly enrichedTopic: string | null
  readonly rules: RecountRules
}

export interface Verdict {
  /** What is wrong, whether or not everything has been counted. */
  readonly differences: readonly string[]
  readonly staleRows: number
  readonly valid: number
  readonly invalid: number
}

/** Up to where the group has read a partition of the input; null where it has committed nothing. */
export function committedOffset(
  { broker, appId, inputTopic }: OracleOptions,
  partition: number,
): number | null {
  return broker.groups.committed(appId, `${inputTopic}/${partition}`)?.offset ?? null
}

/** Partitions of which the group has not committed all that is there, and transactions that are open. */
export function unfinished({ broker, appId, inputTopic }: OracleOptions): string[] {
  const open: string[] = []
  for (const topic of [inputTopic, `${appId}-counts-repartition`]) {
    for (const { partition, log } of broker.topics.partitionsOf(topic)) {
      const committed = broker.groups.committed(appId, `${topic}/${partition}`)?.offset ?? 0
      if (committed < log.end)
        open.push(`${topic}/${partition} is committed up to ${committed} of ${log.end}`)
    }
  }
  for (const { topic, partition, log } of broker.topics.partitions())
    if (log.lastStable < log.end)
      open.push(`${topic}/${partition} is stable up to ${log.lastStable} of ${log.end}`)
  return open
}

export async function judge(options: OracleOptions): Promise<Verdict> {
  const { broker, appId, inputTopic, outputTopic, dlqTopic, rules } = options
  const differences: string[] = []

  const found = new Differences()
  const ledger = new Ledger({
    windowCount: rules.windows.length,
    partitionCount: broker.topics.partitionsOf(`${appId}-counts-changelog`).length,
  })
  const table = new Table(ledger, rules, found)
  await readTopic(broker, outputTopic, (record, partition) => table.add(record, partition))
  const changelog = new Changelog(ledger)
  await readTopic(broker, `${appId}-counts-changelog`, (record, partition) =>
    changelog.add(record, partition),
  )
  changelog.finish(rules)

  const ends = broker.topics.partitionsOf(inputTopic).map(({ log }) => log.end)
  const deadLetters = new DeadLetters({
    ...{ inputTopic, ends, differences: found },
    starts: ends.map(() => 0),
  })
  await readTopic(broker, dlqTopic, (record, partition) => deadLetters.survey(record, partition))
  await readTopic(broker, dlqTopic, (record, partition) => deadLetters.merge(record, partition))
  const recount = new Recount({
    ...{ rules, ledger },
    streamTimes: changelog.partitions.map(({ streamTime }) => streamTime ?? 0),
    // Everything must be counted: where a partition of the changelog has not, its counts differ.
    counted: 'everything',
    onInvalid: (record, partition) => deadLetters.addInvalid(record, partition),
  })
  let enriched = 0
  if (options.enrichedTopic !== null) await readTopic(broker, options.enrichedTopic, () => enriched++)
  await readTopic(broker, inputTopic, (record, partition) => recount.add(record, partition))
  deadLetters.finish()
  if (options.enrichedTopic !== null && enriched !== recount.valid)
    differences.push(`${enriched} enriched logins of ${recount.valid}`)

  const compared = compare({ ledger, changelog, table, rules, caughtUp: true, differences: found })
  for (const difference of found.first) differences.push(JSON.stringify(difference))
  for (const [partition, state] of changelog.partitions.entries()) {
    for (const [source, counted] of state.counted(inputTopic)) {
      const committed = broker.groups.committed(appId, `${inputTopic}/${source}`)?.offset ?? 0
      if (counted > committed)
        differences.push(
          `changelog ${partition} has counted ${source} up to ${counted}, committed ${committed}`,
        )
    }
  }
  await compareOffsets(options, differences)
  return {
    differences,
    staleRows: compared.staleRows,
    valid: recount.valid,
    invalid: recount.invalid,
  }
}

/** The offsets that a keyed task has committed are those in its last meta record. */
async function compareOffsets({ broker, appId }: OracleOptions, differences: string[]): Promise<void> {
  const source = `${appId}-counts-repartition`
  const inMeta = new Map<number, number>()
  await readTopic(broker, `${appId}-counts-changelog`, ({ key, value }, partition) => {
    if (key?.[0] !== 0 || value === null) return
    const { inputOffsets } = JSON.parse(value.toString()) as { inputOffsets: Record<string, number> }
    inMeta.set(partition, inputOffsets[source] ?? 0)
  })
  for (const { partition } of broker.topics.partitionsOf(source)) {
    const committed = broker.groups.committed(appId, `${source}/${partition}`)?.offset
    if (committed !== inMeta.get(partition))
      differences.push(
        `${source}/${partition} is committed up to ${committed}, by its meta ${inMeta.get(partition)}`,
      )
  }
}

/** Reads what a `read_committed` reader sees of a topic as it stands, and would have seen of what was deleted from its front. */
export async function readTopic(
  broker: SimulatedBroker,
  topic: string,
  onRecord: (record: KafkaRecord, partition: number) => void,
): Promise<void> {
  for (const { partition, log: asItIs } of broker.topics.partitionsOf(topic)) {
    const log = asItIs.whole()
    for (let position = log.logStart; ; ) {
      const answer = log.read(position, Number.POSITIVE_INFINITY, true)
      if (answer.records.length === 0) break
      position = await readAnswer(answer, position, log.end, (record) => onRecord(record, partition))
    }
  }
}

/** The last value of each key of a changelog partition, as bytes, by the key of the store. */
export async function foldBytes(
  broker: SimulatedBroker,
  topic: string,
): Promise<Map<number, Map<string, Buffer>>> {
  const folded = new Map<number, Map<string, Buffer>>()
  await readTopic(broker, topic, ({ key, value }, partition) => {
    if (key?.[0] !== 1) return
    const entries = folded.get(partition) ?? new Map<string, Buffer>()
    folded.set(partition, entries)
    const name = key.toString('latin1', 1)
    if (value === null) entries.delete(name)
    else entries.set(name, value)
  })
  return folded
}
