import { describe, expect, it } from 'vitest'
import type { Clock } from '../../../src/ports/clock.ts'
import { systemClock } from '../../../src/system/clock.ts'
import type { KafkaReader } from '../../../src/verify/index.ts'
import { runPass } from '../../../src/verify/pass.ts'
import { TopicReading } from '../../../src/verify/topic-reading.ts'
import { counterBytes, entryRecord, metaRecord, recordOf } from './changelog-records.ts'
import { Log, readerOf } from './logs.ts'

const seconds = 1_700_000_000
const time = new Date(seconds * 1000).toISOString()
const rules = { dimensions: [], maxClockSkewMs: 1000, windows: [], panes: 1 }
const login = recordOf({
  ...{ offset: 0, key: null },
  value: JSON.stringify({ user_id: 'u', timestamp: seconds }),
})
const invalid = recordOf({ offset: 0, key: null, value: 'rubbish' })

/** An application with one partition of each topic, in memory. */
class Small {
  readonly logs = {
    in: new Log(),
    out: new Log(),
    dlq: new Log(),
    'app-counts-repartition': new Log(),
    'app-counts-changelog': new Log(),
  }
  committed = 0
  count = 0
  #committedPartials = 0

  /** Writes a login and counts it. */
  addLogin(): this {
    return this.passLogin().addPartial().countPartial()
  }

  /** Writes a login, and commits that it is read. */
  passLogin(): this {
    this.logs.in.append([login])
    this.committed = this.logs.in.end
    return this
  }

  /** What the first stage commits with that. */
  addPartial(): this {
    this.logs['app-counts-repartition'].append([recordOf({ offset: 0, key: 'total', value: 'partial' })])
    return this
  }

  /** What the second stage makes of it. */
  countPartial(): this {
    this.count++
    this.#committedPartials = this.logs['app-counts-repartition'].end
    const counter = { count: this.count, firstSeen: seconds * 1000, lastSeen: seconds * 1000 }
    const inputOffsets = { 'app-counts-repartition': this.#committedPartials }
    const meta = metaRecord({ counted: { 0: this.committed }, inputOffsets, streamTime: seconds * 1000 }, 0)
    this.logs['app-counts-changelog'].append([entryRecord('total', counter, 0), meta])
    const row = { dimension: 'total', value: 'total', count: this.count, rolling: {} }
    const value = JSON.stringify({ ...row, first_seen: time, last_seen: time, as_of: time })
    this.logs.out.append([recordOf({ offset: 0, key: 'total', value })])
    return this
  }

  /** Writes an invalid record, and its dead letter. */
  addInvalid(): this {
    const offset = this.logs.in.append([invalid])
    this.committed = this.logs.in.end
    const headers = {
      ...{ error: 'NOT_JSON', 'error.message': '', 'source.topic': 'in' },
      ...{ 'source.partition': '0', 'source.offset': `${offset}`, 'source.timestamp': `${seconds * 1000}` },
    }
    const named = Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)] as const)
    this.logs.dlq.append([{ ...invalid, headers: named }])
    return this
  }

  async verify(
    change: (reader: KafkaReader) => Partial<KafkaReader> = () => ({}),
    clock: Clock = systemClock,
  ) {
    const topics = Object.fromEntries(Object.entries(this.logs).map(([name, log]) => [name, [log]]))
    const committedOffsets = async (_: string, topic: string) => [
      topic === 'in' ? this.committed : this.#committedPartials,
    ]
    const reader = { ...readerOf(topics), committedOffsets }
    return runPass({
      ...{ connection: { brokers: [] }, appId: 'app', inputTopic: 'in', outputTopic: 'out', dlqTopic: 'dlq' },
      ...{ rules, clock, changelogPartitions: 1, pass: 0, passes: 1, mostKeys: 10 },
      reading: new TopicReading({ ...reader, ...change(reader) }, clock, () => undefined),
    })
  }
}

describe('a pass', () => {
  it('finds what was counted equal', async () => {
    const result = await new Small().addLogin().addInvalid().addLogin().verify()
    expect(result.differences.first).toEqual([])
    expect(result).toMatchObject({
      ...{ keys: 1, caughtUp: true, logins: { valid: 2, invalid: 1 } },
      ...{ deadLetters: { expected: 1, found: 1 }, streamTime: seconds * 1000 },
    })
  })

  it('is not misled by what goes on being written, counted and committed between any two of its requests', async () => {
    const small = new Small().addLogin().addInvalid()
    let turn = 0
    const goOn = (): void => {
      // Not for ever: it waits until it has read to some end.
      if (turn++ < 200) turn % 2 === 0 ? small.addLogin() : small.addInvalid()
    }
    const result = await small.verify((reader) => ({
      offsets: async (topic, which) => {
        const offsets = await reader.offsets(topic, which)
        goOn()
        return offsets
      },
      committedOffsets: async (group, topic) => {
        goOn()
        return reader.committedOffsets(group, topic)
      },
      fetch: async (...place) => {
        goOn()
        return reader.fetch(...place)
      },
    }))
    expect(turn).toBeGreaterThan(10)
    expect(result.differences.first).toEqual([])
    expect(result.logins.valid).toBeGreaterThan(1)
    expect(result.deadLetters?.expected).toBe(result.logins.invalid)
  })

  it('finds partial counts that were lost between the stages, also where nothing came after them', async () => {
    const result = await new Small().addLogin().passLogin().passLogin().verify()
    expect(result).toMatchObject({ caughtUp: true, underWay: [] })
    expect(result.differences.first).toMatchObject([
      { where: 'changelog', what: 'count', key: 'total', expected: 3, found: 1 },
      { where: 'table', what: 'count', key: 'total', expected: 3, found: 1 },
    ])
  })

  it('says of partial counts that they are under way, while they are there or have just been counted', async () => {
    const waiting = new Small().addLogin().passLogin().addPartial()
    const expected = { caughtUp: false, underWay: [0], differences: { count: 0 } }
    expect(await waiting.verify()).toMatchObject(expected)
    let isCounted = false
    const countedSince = await waiting.verify((reader) => ({
      committedOffsets: async (group, topic) => {
        // The changelog has been read.
        if (topic === 'in' && !isCounted) {
          waiting.countPartial()
          isCounted = true
        }
        return await reader.committedOffsets(group, topic)
      },
    }))
    expect(countedSince).toMatchObject(expected)
    expect(await waiting.verify()).toMatchObject({ caughtUp: true, underWay: [] })
  })

  it('takes partial counts for under way whose transaction does not end', async () => {
    const small = new Small().addLogin().passLogin()
    let waitedMs = 0
    const clock = {
      ...systemClock,
      monotonic: () => waitedMs,
      sleep: async (ms: number) => {
        waitedMs += ms
      },
    }
    const result = await small.verify(
      (reader) => ({
        offsets: async (topic, which) => {
          const offsets = await reader.offsets(topic, which)
          const isOpen = topic.endsWith('repartition') && which === 'highWatermark'
          return isOpen ? offsets.map((end) => end + 1) : offsets
        },
      }),
      clock,
    )
    expect(waitedMs).toBeGreaterThan(1000)
    expect(result).toMatchObject({ caughtUp: false, underWay: [0], differences: { count: 0 } })
  })

  it('tells where the wrong counter has come from', async () => {
    const small = new Small().addLogin().addLogin()
    const wrong = { count: 5, firstSeen: seconds * 1000, lastSeen: seconds * 1000 }
    const changelog = small.logs['app-counts-changelog']
    const key = Buffer.from('\u0001total')
    const offset = changelog.append([recordOf({ offset: 0, key, value: counterBytes(wrong) })])
    const { differences } = await small.verify()
    expect(differences.first).toMatchObject([
      {
        ...{ where: 'changelog', what: 'count', key: 'total', expected: 2, found: 5 },
        range: { isCommit: false, wrongFrom: offset, rightUntil: offset - 2, expected: 0, counted: 3 },
      },
    ])
  })

  it('does not tell the key of a foreign record, nor what is in it', async () => {
    const small = new Small().addLogin()
    const value = JSON.stringify({
      dimension: 'user-17',
      value: 'user-17',
      rolling: { 'user-17': 'user-17' },
    })
    for (const key of ['user-17', 'total']) small.logs.out.append([recordOf({ offset: 0, key, value })])
    const { differences } = await small.verify()
    expect(differences.count).toBeGreaterThan(3)
    expect(JSON.stringify([differences.first, differences.byKind])).not.toContain('user-17')
  })

  it('names a changelog that has lost what the group has committed', async () => {
    const small = new Small().addLogin()
    const committed = { 'app-counts-repartition': 7, in: small.committed } as Record<string, number>
    const result = await small.verify((reader) => ({
      partitionCount: async (topic) =>
        topic === 'app-counts-repartition' ? 1 : reader.partitionCount(topic),
      committedOffsets: async (_, topic) => [committed[topic] ?? null],
    }))
    expect(result.differences.first).toMatchObject([
      { where: 'offsets', what: 'committed beyond the changelog', expected: 2, found: 7 },
    ])
  })
})
