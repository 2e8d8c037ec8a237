import { expect, test } from 'vitest'
import { CodedError } from '../../../../src/errors.ts'
import { loadConfig } from '../../../../src/login-stats/config/index.ts'
import type { Insights } from '../../../../src/login-stats/http/api-schemas.ts'
import { InsightsPublisher } from '../../../../src/login-stats/insights/insights-publisher.ts'
import { topologyOf } from '../../../../src/login-stats/topology.ts'
import type { GroupDescription, KafkaClient } from '../../../../src/ports/kafka.ts'
import type { TaskStatus } from '../../../../src/streams/index.ts'
import { encodeMemberMetadata } from '../../../../src/streams/rebalance/member-metadata.ts'
import { JumpingClock, silentLog } from '../../kafka/scripted-wire.ts'

const intervalMs = 1000
const instance = 'this'
/** How long it takes until a look at the table's topic has its answer. */
const readingMs = 300

/** One instance that owns the total, its group, its topics, and its table, on a clock of the test's own. */
class Scene {
  readonly clock = new JumpingClock()
  /** As of when the table was that each summary was made of, and when it was made and published. */
  readonly published: { tableAt: number; madeAt: number; at: number }[] = []
  readonly warnings: unknown[] = []
  readonly told: string[] = []
  readonly publisher: InsightsPublisher
  isOwner = true
  groupSaysSo = true
  /** How often it has taken the transactional id, and asked the group. */
  taken = 0
  asked = 0
  /** What comes before an answer: a wait, a stall, a failure. */
  onInit = async (): Promise<void> => undefined
  onCommit = async (): Promise<void> => undefined
  onTableAsked = (): void => undefined
  #tableAt = 0
  /** Whether what is committed reaches its table. */
  isFollowed = true

  constructor(everyMs: number) {
    const { clock } = this
    this.publisher = new InsightsPublisher({
      ...{ kafka: this.#kafka(), clock, intervalMs: everyMs, instance },
      log: {
        ...silentLog,
        info: (_, message) => this.told.push(message),
        warn: (fields) => this.warnings.push(fields),
      },
      ...{ topology: topologyOf(loadConfig({ APP_ID: 'app' })), topic: 'insights', outputTopic: 'table' },
      ...{ replicationFactor: 1, minInsyncReplicas: null },
      status: () => (this.isOwner ? [{ task: '1_0', state: 'running' } as TaskStatus] : []),
      insights: async () => ({ dimensions: {}, generated_at: String(clock.now()) }) as unknown as Insights,
      tableCurrentAt: async () => {
        this.onTableAsked()
        return this.#tableAt
      },
      hold: () => () => undefined,
      published: () => undefined,
    })
    this.#follow()
  }

  #follow(): void {
    const askedAt = this.clock.monotonic()
    this.clock.setTimer(readingMs, () => {
      if (this.isFollowed) this.#tableAt = askedAt
      this.#follow()
    })
  }

  #kafka(): KafkaClient {
    const { clock } = this
    const admin = {
      topics: async (names: string[]) => new Map(names.map((name) => [name, { name, partitionCount: 1 }])),
      describeGroup: async () => {
        this.asked += 1
        return this.#group()
      },
    }
    const producer = () => {
      let madeAt = 0
      let tableAt = 0
      return {
        init: async () => {
          this.taken += 1
          await this.onInit()
        },
        appender: () => ({
          append: (_: null, value: Buffer) => {
            madeAt = Number(JSON.parse(value.toString()).generated_at)
            tableAt = this.#tableAt
          },
        }),
        send: async () => [1],
        commit: async () => {
          await this.onCommit()
          this.published.push({ tableAt, madeAt, at: clock.monotonic() })
        },
        close: () => undefined,
      }
    }
    return { admin, producer } as unknown as KafkaClient
  }

  #group(): GroupDescription {
    const metadata = {
      fingerprint: {},
      ...{ ownedTasks: [], storedTasks: [], standbyTasks: [], partitions: {}, storeLags: {} },
      ...{ processId: instance, endpoint: null },
    } as unknown as Parameters<typeof encodeMemberMetadata>[0]
    const partitions = this.groupSaysSo ? [{ topic: 'app-counts-repartition', partition: 0 }] : []
    const assignment = { partitions, userData: Buffer.alloc(0) }
    const member = { memberId: 'm', clientId: 'c', clientHost: 'h', assignment }
    return { state: 'Stable', members: [{ ...member, userData: encodeMemberMetadata(metadata) }] }
  }

  async until(count: number): Promise<void> {
    for (let waited = 0; this.published.length < count; waited++) {
      if (waited > 1000) throw new Error(`${this.published.length} summaries, not ${count}`)
      await this.clock.pass(20)
    }
  }

  /** However late one was, the next comes an interval after it. */
  expectApart(): void {
    for (const [index, { madeAt, at }] of this.published.entries()) {
      const before = this.published[index - 1]
      if (before === undefined) continue
      expect(at - before.at, `${index}`).toBeGreaterThanOrEqual(intervalMs)
      expect(madeAt - before.madeAt, `${index}`).toBeGreaterThanOrEqual(intervalMs)
    }
  }
}

async function withScene(act: (scene: Scene) => Promise<void>, everyMs = intervalMs): Promise<void> {
  const scene = new Scene(everyMs)
  scene.publisher.start()
  try {
    await act(scene)
  } finally {
    await scene.publisher.close()
  }
}

test('an instance that waits long for the transactional id publishes twice only after an interval', () =>
  withScene(async (scene) => {
    scene.onInit = () => scene.clock.pass(1200)
    await scene.until(3)
    scene.expectApart()
  }))

test('an instance whose transaction ends late publishes twice only after an interval', () =>
  withScene(async (scene) => {
    await scene.until(1)
    scene.onCommit = async () => {
      scene.onCommit = async () => undefined
      await scene.clock.pass(2500)
    }
    await scene.until(4)
    scene.expectApart()
  }))

test('an instance that stood still between two summaries tells of the table as of then, once the group says that it is to', () =>
  withScene(async (scene) => {
    await scene.until(2)
    scene.clock.stall(20_000)
    const continuedAt = scene.clock.monotonic()
    scene.groupSaysSo = false
    await scene.clock.pass(3 * intervalMs)
    expect(scene.published).toHaveLength(2)
    expect(scene.taken).toBe(1)
    scene.groupSaysSo = true
    await scene.until(4)
    expect(scene.published[2]?.tableAt).toBeGreaterThanOrEqual(continuedAt)
    expect(scene.taken).toBe(2)
    scene.expectApart()
  }))

test('an instance that goes on after it stood still publishes within an interval', () =>
  withScene(async (scene) => {
    await scene.until(2)
    scene.clock.stall(4500)
    const continuedAt = scene.clock.monotonic()
    await scene.until(3)
    expect((scene.published[2]?.at ?? 0) - continuedAt).toBeLessThan(intervalMs)
    expect(scene.published[2]?.tableAt).toBeGreaterThanOrEqual(continuedAt)
  }))

test('an instance that stood still while it waited for the table tells of none that is older', () =>
  withScene(async (scene) => {
    let continuedAt = 0
    scene.onTableAsked = () => {
      // What has arrived before that is taken at once when it goes on.
      scene.onTableAsked = () => undefined
      scene.clock.setTimer(1, () => {
        scene.clock.stall(20_000)
        continuedAt = scene.clock.monotonic()
      })
    }
    await scene.until(1)
    expect(continuedAt).toBeGreaterThan(0)
    expect(scene.published[0]?.tableAt).toBeGreaterThanOrEqual(continuedAt)
    expect(scene.taken).toBe(2)
  }))

test('an instance that was fenced asks the group, an interval later than else', () =>
  withScene(async (scene) => {
    await scene.until(1)
    const { asked } = scene
    scene.onCommit = async () => {
      scene.onCommit = async () => undefined
      throw new CodedError('PRODUCER_FENCED', { operation: 'commit' })
    }
    await scene.until(2)
    expect(scene.warnings).toMatchObject([{ code: 'PRODUCER_FENCED' }])
    expect(scene.asked).toBe(asked + 1)
    const [first, second] = scene.published
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(3 * intervalMs)
  }))

test('an instance that is not the owner any more publishes nothing, and takes the id again when it is', () =>
  withScene(async (scene) => {
    await scene.until(1)
    scene.isOwner = false
    await scene.clock.pass(5 * intervalMs)
    expect(scene.published).toHaveLength(1)
    scene.isOwner = true
    await scene.until(2)
    expect(scene.taken).toBe(2)
  }))

test('an instance whose table is behind says so, and publishes once it is not', () =>
  withScene(async (scene) => {
    scene.isFollowed = false
    await scene.clock.pass(10 * intervalMs)
    expect(scene.published).toEqual([])
    expect(scene.told[0]).toContain('No insights this time')
    scene.isFollowed = true
    await scene.until(1)
    expect(scene.taken).toBe(1)
  }))

test('an instance that ends while it publishes waits for that, warns of nothing, and does not begin anew', () =>
  withScene(async (scene) => {
    const { promise: underWay, resolve: begin } = Promise.withResolvers<void>()
    const { promise: never, reject: closeClient } = Promise.withResolvers<never>()
    scene.onCommit = () => {
      begin()
      return never
    }
    await scene.clock.pass(2 * intervalMs)
    await underWay
    let isClosed = false
    const closing = scene.publisher.close().then(() => {
      isClosed = true
    })
    await scene.clock.yield()
    expect(isClosed).toBe(false)
    closeClient(new CodedError('OUTCOME_UNKNOWN', { operation: 'commit' }))
    await closing
    await scene.clock.pass(5 * intervalMs)
    expect(scene.warnings).toEqual([])
    expect([scene.taken, scene.published.length]).toEqual([1, 0])
  }))

test('an instance that gets the task tells of it soon, however long the interval', () =>
  withScene(async (scene) => {
    scene.isOwner = false
    await scene.clock.pass(20_000)
    scene.isOwner = true
    scene.groupSaysSo = false
    await scene.clock.pass(10_000)
    expect(scene.published).toEqual([])
    scene.groupSaysSo = true
    await scene.clock.pass(10_000)
    expect(scene.published).toHaveLength(1)
    await scene.clock.pass(3_500_000)
    expect(scene.published).toHaveLength(1)
  }, 3_600_000))
