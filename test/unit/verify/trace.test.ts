import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/system/clock.ts'
import {
  type DifferenceRange,
  type KafkaRecord,
  readBatches,
  readRecords,
} from '../../../src/verify/index.ts'
import { TopicReading } from '../../../src/verify/topic-reading.ts'
import { traceDifferences } from '../../../src/verify/trace.ts'
import { entryRecord, metaRecord, recordOf } from './changelog-records.ts'
import { Log, readerOf } from './logs.ts'

const rules = { dimensions: [], maxClockSkewMs: 1e9, windows: [], panes: 1 }
const firstSeconds = 1_700_000_000

/** One commit: logins of each partition of the input that it has counted, and what it says of the key `total`. */
interface Commit {
  readonly logins: readonly number[]
  /** Added to the right count, in this commit and all later ones. */
  readonly wrong?: number
}

/** An input of two partitions, and the changelog of a processor that has counted it in these commits. */
class Story {
  readonly input = [new Log(), new Log()]
  readonly changelog = new Log()
  /** Offsets of the meta records. */
  readonly metas: number[] = []
  count = 0
  #wrong = 0
  #logins = 0

  commit({ logins, wrong = 0 }: Commit): this {
    for (const [partition, many] of logins.entries()) {
      const values = Array.from({ length: many }, () => {
        const timestamp = firstSeconds + this.#logins++
        return recordOf({ offset: 0, key: null, value: JSON.stringify({ user_id: 'u', timestamp }) })
      })
      if (many > 0) this.input[partition]?.append(values)
      this.count += many
    }
    this.#wrong += wrong
    const counted = Object.fromEntries(this.input.map(({ end }, partition) => [partition, end]))
    const records = [metaRecord({ counted }, 0)]
    if (logins.some((many) => many > 0) || wrong !== 0) records.unshift(this.entry(this.count + this.#wrong))
    const offset = this.changelog.append(records)
    this.metas.push(offset + records.length - 1)
    return this
  }

  entry(count: number): KafkaRecord {
    const lastSeen = (firstSeconds + this.#logins - 1) * 1000
    return entryRecord('total', count === 0 ? null : { count, firstSeen: firstSeconds * 1000, lastSeen }, 0)
  }

  async trace(mostCuts?: number): Promise<DifferenceRange | undefined> {
    const reader = readerOf({ in: this.input, changelog: [this.changelog] })
    const ranges = await traceDifferences({
      reading: new TopicReading(reader, systemClock, () => undefined),
      ...{ rules, inputTopic: 'in', changelogTopic: 'changelog', changelogEnds: [this.changelog.end] },
      input: this.input.map(({ end }, partition) => ({ topic: 'in', partition, from: 0, to: end })),
      keys: new Map([[0, new Set(['total'])]]),
      ...(mostCuts === undefined ? {} : { mostCuts }),
    })
    return ranges.get('total')
  }

  compact(below: number): Promise<void> {
    return this.changelog.compact(below, async (bytes) => {
      const records: KafkaRecord[] = []
      for (const batch of readBatches(bytes)) records.push(...(await readRecords(batch)))
      return records
    })
  }
}

describe('traceDifferences', () => {
  it('names the first commit that has counted wrongly, and the input it has counted', async () => {
    const story = new Story()
      .commit({ logins: [3, 0] })
      .commit({ logins: [0, 2] })
      .commit({ logins: [0, 4], wrong: 1 })
      .commit({ logins: [5, 5] })
    expect(await story.trace()).toEqual({
      ...{ rightUntil: story.metas[1], wrongFrom: story.metas[2], isCommit: true, isExact: true },
      input: [{ partition: 1, from: 3, to: 8, expected: 4 }],
      ...{ expected: 4, counted: 5 },
    })
  })

  it('begins at the start of the input where the first commit is wrong already', async () => {
    const story = new Story().commit({ logins: [2, 3], wrong: -1 }).commit({ logins: [1, 1] })
    expect(await story.trace()).toMatchObject({
      ...{ rightUntil: null, wrongFrom: story.metas[0], isExact: true, expected: 5, counted: 4 },
      input: [
        { partition: 0, from: 0, to: 3, expected: 2 },
        { partition: 1, from: 0, to: 4, expected: 3 },
      ],
    })
  })

  it('notices a commit that should have counted a key and does not name it', async () => {
    const story = new Story().commit({ logins: [2, 0] })
    story.input[0]!.append([
      recordOf({ offset: 0, key: null, value: '{"user_id":"u","timestamp":1700000000}' }),
    ])
    story.commit({ logins: [0, 0] })
    expect(await story.trace()).toMatchObject({
      ...{ rightUntil: story.metas[0], wrongFrom: story.metas[1], expected: 1, counted: 0 },
      input: [{ partition: 0, from: 3, to: 5, expected: 1 }],
    })
  })

  it.each([
    ['a wrong counter', 99, 94],
    ['a tombstone', 0, -5],
  ])('tells %s behind the last commit from a wrong commit', async (_, count, counted) => {
    const story = new Story().commit({ logins: [2, 3] })
    const wrongFrom = story.changelog.append([story.entry(count)])
    expect(await story.trace()).toEqual({
      ...{ rightUntil: story.metas[0], wrongFrom, isCommit: false, isExact: true },
      ...{ input: [], expected: 0, counted },
    })
  })

  it('says that the range is wider where compaction has removed commits', async () => {
    const story = new Story()
    for (let commit = 0; commit < 10; commit++)
      story.commit({ logins: [1, 0], ...(commit === 4 ? { wrong: 2 } : {}) })
    await story.compact(story.metas[6]! + 1)
    expect(await story.trace()).toMatchObject({
      ...{ rightUntil: null, wrongFrom: story.metas[6], isCommit: true, isExact: false },
      ...{ input: [{ partition: 0, from: 0, to: 14, expected: 7 }], expected: 7, counted: 9 },
    })
  })

  it('does not take a counter that compaction has removed for none', async () => {
    const story = new Story()
    for (let commit = 0; commit < 4; commit++) story.commit({ logins: [1, 0] })
    // All but the last of the records of the key goes, and of the meta records the last stays whose transaction is cut.
    await story.compact(story.metas[3]!)
    story.commit({ logins: [0, 1], wrong: 1 })
    expect(await story.trace()).toMatchObject({ rightUntil: story.metas[3], wrongFrom: story.metas[4] })
  })

  it('finds the commit among more than it keeps at once', async () => {
    const wrongCommit = fc.nat(149)
    await fc.assert(
      fc.asyncProperty(wrongCommit, fc.integer({ min: 16, max: 32 }), async (wrongAt, mostCuts) => {
        const story = new Story()
        for (let commit = 0; commit < 150; commit++)
          story.commit({ logins: [commit % 3, 1], ...(commit === wrongAt ? { wrong: 1 } : {}) })
        const range = await story.trace(mostCuts)
        expect(range).toMatchObject({
          ...{ wrongFrom: story.metas[wrongAt], rightUntil: story.metas[wrongAt - 1] ?? null, isExact: true },
          counted: (range?.expected ?? 0) + 1,
        })
      }),
      { numRuns: 10 },
    )
  })
})
