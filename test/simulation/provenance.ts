/**
 * Every commit of a keyed task must be the exact count of a prefix of the input: the one that its meta record names. Walks through
 * the commits of a changelog that was never compacted, and counts along.
 */
import { decodeCounter } from '../../src/verify/changelog.ts'
import { readLogin } from '../../src/verify/login.ts'
import { partitionOf } from '../../src/verify/partitioner.ts'
import type { KafkaRecord } from '../../src/verify/record-batch.ts'
import { type OracleOptions, readTopic } from './oracle.ts'

/** What stands before the counter in an entry of the changelog. */
const timerBytes = 8

/** Keys and counts of each login of the input, by partition, in the order of offsets. */
type Input = readonly { readonly offset: number; readonly keys: readonly string[] }[][]

export async function wrongCommits(options: OracleOptions): Promise<string[]> {
  const { broker, appId, inputTopic } = options
  const topic = `${appId}-counts-changelog`
  const input = await readInput(options)
  const records: KafkaRecord[][] = broker.topics.partitionsOf(topic).map(() => [])
  await readTopic(broker, topic, (record, partition) => records[partition]?.push(record))
  return records.flatMap((list, partition) => {
    const walk = new Walk(input, partition, records.length)
    for (const record of list) walk.take(record, inputTopic)
    return walk.problems
  })
}

async function readInput({ broker, inputTopic, rules }: OracleOptions): Promise<Input> {
  const input = broker.topics.partitionsOf(inputTopic).map((): Input[number][number][] => [])
  await readTopic(broker, inputTopic, (record, partition) => {
    const login = readLogin(record, rules)
    if (login !== null)
      input[partition]?.push({ offset: record.offset, keys: login.rows.map(({ key }) => key) })
  })
  return input
}

class Walk {
  readonly problems: string[] = []
  readonly #input: Input
  readonly #partition: number
  readonly #partitionCount: number
  readonly #expected = new Map<string, number>()
  readonly #found = new Map<string, number>()
  /** Keys that have changed on either side since the last commit. */
  #touched = new Set<string>()
  readonly #next: number[]

  constructor(input: Input, partition: number, partitionCount: number) {
    this.#input = input
    this.#partition = partition
    this.#partitionCount = partitionCount
    this.#next = input.map(() => 0)
  }

  take({ key, value, offset }: KafkaRecord, inputTopic: string): void {
    if (key === null) return
    if (key[0] === 1) {
      const name = key.toString('utf8', 1)
      this.#touched.add(name)
      this.#found.set(name, value === null ? 0 : decodeCounter(value.subarray(timerBytes), offset).count)
      return
    }
    const { counted } = JSON.parse(value?.toString() ?? '{}') as {
      counted: Record<string, Record<string, number>>
    }
    for (const [source, end] of Object.entries(counted[inputTopic] ?? {})) this.#count(Number(source), end)
    this.#compare(offset)
  }

  #count(source: number, end: number): void {
    const logins = this.#input[source] ?? []
    for (let at = this.#next[source] ?? 0; ; at++) {
      const login = logins[at]
      this.#next[source] = at
      if (login === undefined || login.offset >= end) return
      for (const key of login.keys) {
        if (partitionOf(Buffer.from(key), this.#partitionCount) !== this.#partition) continue
        this.#expected.set(key, (this.#expected.get(key) ?? 0) + 1)
        this.#touched.add(key)
      }
    }
  }

  #compare(offset: number): void {
    for (const key of this.#touched) {
      const [expected, found] = [this.#expected.get(key) ?? 0, this.#found.get(key) ?? 0]
      if (expected !== found)
        this.problems.push(
          `the commit at ${offset} of changelog ${this.#partition} has ${key} ${found} times, its prefix ${expected} times`,
        )
    }
    this.#touched = new Set()
  }
}
