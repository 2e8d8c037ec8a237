/** The wire on a real broker: each request once, as it is sent, and what connections do when brokers do not answer. */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { crc32c } from '../../src/bytes/crc32c.ts'
import { createKafkajsWire } from '../../src/kafka/wire/kafkajs-wire.ts'
import { type ApiName, type Apis, kafkaError, type Wire } from '../../src/kafka/wire/wire.ts'
import type { Log } from '../../src/ports/log.ts'
import { systemClock } from '../../src/system/clock.ts'
import { bootstrapServers, uniquePrefix } from '../support/broker.ts'

const silent: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silent,
}

const timeoutMs = 10_000
const inTime = { timeoutMs, lane: 'control' }

function createWire(servers: string): Wire {
  return createKafkajsWire({
    bootstrapServers: servers.split(','),
    clientId: 'wire-test',
    log: silent,
    clock: systemClock,
  })
}

let wire: Wire
let nodeId: number

beforeAll(async () => {
  wire = createWire(bootstrapServers())
  const { controllerId } = await wire.send('bootstrap', 'Metadata', { topics: [] }, inTime)
  nodeId = controllerId
})

afterAll(() => wire.close())

function send<A extends ApiName>(api: A, request: Apis[A]['request']): Promise<Apis[A]['answer']> {
  return wire.send(nodeId, api, request, inTime)
}

/** Repeats while a coordinator or a transaction is not ready, which says so by error code. */
async function settled<T>(attempt: () => Promise<T>, codeOf: (answer: T) => number): Promise<T> {
  const passing: readonly number[] = [
    kafkaError.UNKNOWN_TOPIC_OR_PARTITION,
    kafkaError.LEADER_NOT_AVAILABLE,
    kafkaError.NOT_LEADER_OR_FOLLOWER,
    kafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    kafkaError.COORDINATOR_NOT_AVAILABLE,
    kafkaError.NOT_COORDINATOR,
    kafkaError.CONCURRENT_TRANSACTIONS,
    kafkaError.UNSTABLE_OFFSET_COMMIT,
  ]
  const until = Date.now() + 20_000
  for (;;) {
    const answer = await attempt()
    if (!passing.includes(codeOf(answer)) || Date.now() > until) return answer
    await systemClock.sleep(20)
  }
}

const byErrorCode = (answer: { errorCode: number }): number => answer.errorCode
const byFirst = (answer: { partitions: { errorCode: number }[] }): number =>
  answer.partitions[0]?.errorCode ?? 0

async function createTopic(partitionCount = 1): Promise<string> {
  const name = uniquePrefix('wire')
  const config = [{ name: 'retention.ms', value: '123456789' }]
  const topics = [{ name, partitionCount, replicationFactor: 1, config }]
  const answer = await send('CreateTopics', { topics, timeoutMs })
  expect(answer).toEqual({ topics: [{ name, errorCode: 0, message: null }] })
  await settled(
    () => send('Metadata', { topics: [name] }),
    ({ topics: [topic] }) => topic?.errorCode || (topic?.partitions[0]?.errorCode ?? 5),
  )
  // Metadata may know of a leader before that one knows itself.
  const partitions = Array.from({ length: partitionCount }, (_, partition) => ({
    ...{ topic: name, partition, timestamp: -1 },
  }))
  await settled(
    () => send('ListOffsets', { isolationLevel: 0, partitions }),
    (found) => found.partitions.find(({ errorCode }) => errorCode !== 0)?.errorCode ?? 0,
  )
  return name
}

interface Producer {
  transactionalId: string
  producerId: bigint
  producerEpoch: number
}

async function createProducer(): Promise<Producer> {
  const transactionalId = uniquePrefix('tx')
  const request = { transactionalId, transactionTimeoutMs: 10_000 }
  await settled(() => send('FindCoordinator', { key: transactionalId, keyType: 1 }), byErrorCode)
  const { errorCode, producerId, producerEpoch } = await settled(
    () => send('InitProducerId', request),
    byErrorCode,
  )
  expect(errorCode).toBe(0)
  return { transactionalId, producerId, producerEpoch }
}

/** A record batch of one record without key, made by hand from the description of the format. */
function batchOf(value: string, producer: Producer, sequence: number): Buffer {
  const bytes = Buffer.from(value)
  const zigzag = (number: number): number => number * 2
  // attributes, timestamp delta, offset delta, key length -1, value length, value, no headers
  const record = Buffer.concat([Buffer.from([0, 0, 0, 1, zigzag(bytes.length)]), bytes, Buffer.from([0])])
  const head = Buffer.alloc(61)
  const now = BigInt(Date.now())
  const transactional = 0x10
  head.writeInt32BE(61 - 12 + 1 + record.length, 8)
  head.writeInt8(2, 16)
  head.writeInt16BE(transactional, 21)
  head.writeBigInt64BE(now, 27)
  head.writeBigInt64BE(now, 35)
  head.writeBigInt64BE(producer.producerId, 43)
  head.writeInt16BE(producer.producerEpoch, 51)
  head.writeInt32BE(sequence, 53)
  head.writeInt32BE(1, 57)
  const batch = Buffer.concat([head, Buffer.from([zigzag(record.length)]), record])
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
  return batch
}

async function produce(producer: Producer, topic: string, value: string, sequence: number): Promise<number> {
  const topics = [{ topic, partitions: [0] }]
  const added = await settled(() => send('AddPartitionsToTxn', { ...producer, topics }), byFirst)
  expect(added).toEqual({ partitions: [{ topic, partition: 0, errorCode: 0 }] })
  const { transactionalId } = producer
  const partitions = [{ topic, partition: 0, batch: batchOf(value, producer, sequence) }]
  const { partitions: written } = await send('Produce', { transactionalId, timeoutMs, partitions })
  expect(written).toMatchObject([{ topic, partition: 0, errorCode: 0 }])
  return written[0]!.baseOffset
}

async function endTransaction(producer: Producer, commit: boolean): Promise<void> {
  expect(await settled(() => send('EndTxn', { ...producer, commit }), byErrorCode)).toEqual({ errorCode: 0 })
}

/** Fetches from offset 0 once the partition is stable up to `end`. */
async function fetchStable(
  topic: string,
  end: number,
): Promise<Apis['Fetch']['answer']['partitions'][number]> {
  const partitions = [{ topic, partition: 0, offset: 0, maxBytes: 1_000_000 }]
  for (let attempts = 0; ; attempts++) {
    const answer = await send('Fetch', { maxWaitMs: 100, minBytes: 1, maxBytes: 1_000_000, partitions })
    expect(answer.errorCode).toBe(0)
    const fetched = answer.partitions[0]!
    if (fetched.lastStableOffset >= end || attempts === 100) return fetched
    await systemClock.sleep(20)
  }
}

describe('topics', () => {
  test('are created, described, enlarged and deleted', async () => {
    const topic = await createTopic(2)
    const metadata = await send('Metadata', { topics: [topic] })
    expect(metadata.clusterId).toEqual(expect.any(String))
    expect(metadata.brokers.map((broker) => broker.nodeId)).toContain(nodeId)
    expect(metadata.topics).toMatchObject([
      { errorCode: 0, name: topic, topicId: expect.stringMatching(/^[\w-]{22}$/) },
    ])
    // Kafka 3.9 gives them in whatever order.
    const partitions = metadata.topics[0]?.partitions.toSorted((a, b) => a.partition - b.partition)
    expect(partitions).toMatchObject([
      { partition: 0, leaderId: nodeId },
      { partition: 1, leaderId: nodeId },
    ])
    const config = await send('DescribeConfigs', { topic })
    expect(config.errorCode).toBe(0)
    expect(config.entries).toContainEqual({ name: 'retention.ms', value: '123456789' })

    const enlarged = await send('CreatePartitions', { topic, partitionCount: 3, timeoutMs })
    expect(enlarged).toEqual({ topics: [{ name: topic, errorCode: 0, message: null }] })
    const again = await send('CreateTopics', {
      topics: [{ name: topic, partitionCount: 1, replicationFactor: 1, config: [] }],
      timeoutMs,
    })
    expect(again.topics).toMatchObject([{ name: topic, errorCode: kafkaError.TOPIC_ALREADY_EXISTS }])
    const deleted = await send('DeleteTopics', { topics: [topic], timeoutMs })
    expect(deleted).toEqual({ topics: [{ name: topic, errorCode: 0 }] })
  })

  test('that do not exist are told so, and not created', async () => {
    const topic = uniquePrefix('wire')
    for (let times = 0; times < 2; times++)
      expect((await send('Metadata', { topics: [topic] })).topics).toEqual([
        { errorCode: kafkaError.UNKNOWN_TOPIC_OR_PARTITION, name: topic, topicId: null, partitions: [] },
      ])
    expect((await send('DescribeConfigs', { topic })).errorCode).toBe(kafkaError.UNKNOWN_TOPIC_OR_PARTITION)
  })

  test('have another id when they are made again', async () => {
    const name = uniquePrefix('wire')
    const ids = new Set<string | null>()
    for (let times = 0; times < 2; times++) {
      const topics = [{ name, partitionCount: 1, replicationFactor: 1, config: [] }]
      await send('CreateTopics', { topics, timeoutMs })
      const metadata = await settled(
        () => send('Metadata', { topics: [name] }),
        (answer) => answer.topics[0]?.errorCode ?? 0,
      )
      ids.add(metadata.topics[0]?.topicId ?? null)
      await send('DeleteTopics', { topics: [name], timeoutMs })
    }
    expect(ids.size).toBe(2)
  })
})

describe('transactions', () => {
  test('an aborted one is in the list of the aborted, and its records come with the others as they were written', async () => {
    const topic = await createTopic()
    const producer = await createProducer()
    expect(await produce(producer, topic, 'aborted', 0)).toBe(0)
    const partitions = [{ topic, partition: 0, timestamp: -1 }]
    const ends = async (isolationLevel: 0 | 1): Promise<number> =>
      (await send('ListOffsets', { isolationLevel, partitions })).partitions[0]!.offset
    expect([await ends(0), await ends(1)]).toEqual([1, 0])
    await endTransaction(producer, false)
    // An aborting broker of version 2 of the transaction protocol may have raised the epoch for the next transaction.
    const next = await createProducer()
    const committedAt = await produce(next, topic, 'committed', 0)
    await endTransaction(next, true)

    const fetched = await fetchStable(topic, committedAt + 2)
    expect(fetched).toMatchObject({
      topic,
      partition: 0,
      errorCode: 0,
      highWatermark: 4,
      lastStableOffset: 4,
      logStartOffset: 0,
      abortedTransactions: [{ producerId: producer.producerId, firstOffset: 0 }],
    })
    const first = batchOf('aborted', producer, 0)
    const records = fetched.records.subarray(0, first.length)
    // From the attributes on but for the timestamps, they are our bytes.
    expect(records.subarray(43)).toEqual(first.subarray(43))
    expect(fetched.records.includes('committed')).toBe(true)
  })

  test('commit offsets with them: unstable before, visible after', async () => {
    const topic = await createTopic()
    const producer = await createProducer()
    const member = await joinAlone()
    await produce(producer, topic, 'value', 0)
    const { groupId } = member
    const added = await settled(() => send('AddOffsetsToTxn', { ...producer, groupId }), byErrorCode)
    expect(added).toEqual({ errorCode: 0 })
    const partitions = [{ topic, partition: 0, offset: 2 ** 40, metadata: 'note' }]
    const commit = { ...producer, ...member, partitions }
    const stale = await send('TxnOffsetCommit', { ...commit, generationId: member.generationId + 1 })
    expect(stale).toEqual({ partitions: [{ topic, partition: 0, errorCode: kafkaError.ILLEGAL_GENERATION }] })
    const usurper = await send('TxnOffsetCommit', { ...commit, memberId: 'nobody' })
    expect(usurper.partitions).toMatchObject([{ errorCode: kafkaError.FENCED_INSTANCE_ID }])
    const stranger = await send('TxnOffsetCommit', { ...commit, memberId: 'nobody', instanceId: null })
    expect(stranger.partitions).toMatchObject([{ errorCode: kafkaError.UNKNOWN_MEMBER_ID }])
    const committed = await settled(() => send('TxnOffsetCommit', commit), byFirst)
    expect(committed).toEqual({ partitions: [{ topic, partition: 0, errorCode: 0 }] })

    const wanted = { groupId, topics: [{ topic, partitions: [0] }], requireStable: true }
    const pending = await send('OffsetFetch', wanted)
    expect(pending.partitions).toMatchObject([{ errorCode: kafkaError.UNSTABLE_OFFSET_COMMIT }])
    await endTransaction(producer, true)
    const stable = await settled(() => send('OffsetFetch', wanted), byFirst)
    expect(stable).toEqual({
      errorCode: 0,
      partitions: [{ topic, partition: 0, errorCode: 0, offset: 2 ** 40, metadata: 'note' }],
    })
  })

  test('of a fenced producer are refused', async () => {
    const topic = await createTopic()
    const old = await createProducer()
    const { transactionalId } = old
    const renewed = await settled(
      () => send('InitProducerId', { transactionalId, transactionTimeoutMs: 10_000 }),
      byErrorCode,
    )
    expect(renewed.producerEpoch).toBeGreaterThan(old.producerEpoch)
    const topics = [{ topic, partitions: [0] }]
    const refused = await send('AddPartitionsToTxn', { ...old, topics })
    expect([kafkaError.INVALID_PRODUCER_EPOCH, kafkaError.PRODUCER_FENCED]).toContain(
      refused.partitions[0]?.errorCode,
    )
  })
})

interface Member {
  groupId: string
  generationId: number
  memberId: string
  instanceId: string | null
}

async function joinAlone(): Promise<Member> {
  const groupId = uniquePrefix('group')
  const found = await settled(() => send('FindCoordinator', { key: groupId, keyType: 0 }), byErrorCode)
  expect(found).toMatchObject({ errorCode: 0, nodeId })
  const instanceId = 'instance-1'
  const metadata = Buffer.from([1, 2, 3])
  const joined = await settled(
    () =>
      wire.send(
        nodeId,
        'JoinGroup',
        {
          groupId,
          sessionTimeoutMs: 10_000,
          rebalanceTimeoutMs: 10_000,
          memberId: '',
          instanceId,
          protocolType: 'consumer',
          protocols: [{ name: 'tasks', metadata }],
        },
        { timeoutMs: 15_000, lane: 'join' },
      ),
    byErrorCode,
  )
  const { memberId, generationId } = joined
  expect(joined).toEqual({
    errorCode: 0,
    generationId: 1,
    protocolName: 'tasks',
    leaderId: memberId,
    memberId,
    members: [{ memberId, instanceId, metadata }],
  })
  const assignment = Buffer.from('assigned')
  const member = { groupId, generationId, memberId, instanceId }
  const synced = await send('SyncGroup', { ...member, assignments: [{ memberId, assignment }] })
  expect(synced).toEqual({ errorCode: 0, assignment })
  return member
}

test('a member joins, syncs, beats, is described, leaves, and its group is deleted', async () => {
  const member = await joinAlone()
  const { groupId, memberId, instanceId } = member
  expect(await send('Heartbeat', member)).toEqual({ errorCode: 0 })
  expect(await send('Heartbeat', { ...member, memberId: 'other' })).toEqual({
    errorCode: kafkaError.FENCED_INSTANCE_ID,
  })
  expect(await send('DescribeGroups', { groupId })).toEqual({
    errorCode: 0,
    state: 'Stable',
    members: [
      {
        ...{ memberId, clientId: 'wire-test', clientHost: expect.any(String) },
        ...{ metadata: expect.any(Buffer), assignment: Buffer.from('assigned') },
      },
    ],
  })
  expect(await send('DeleteGroups', { groupId })).toEqual({ errorCode: kafkaError.NON_EMPTY_GROUP })
  const members = [
    { memberId, instanceId },
    { memberId: 'unknown', instanceId: null },
  ]
  expect(await send('LeaveGroup', { groupId, members })).toEqual({
    errorCode: 0,
    members: [
      { memberId, errorCode: 0 },
      { memberId: 'unknown', errorCode: kafkaError.UNKNOWN_MEMBER_ID },
    ],
  })
  expect(await send('DeleteGroups', { groupId })).toEqual({ errorCode: 0 })
})

test('records are deleted up to an offset, and reading before it is out of range', async () => {
  const topic = await createTopic()
  const producer = await createProducer()
  await produce(producer, topic, 'value', 0)
  await endTransaction(producer, true)
  await fetchStable(topic, 2)
  const partitions = [{ topic, partition: 0, offset: 1 }]
  expect(await send('DeleteRecords', { partitions, timeoutMs })).toEqual({
    partitions: [{ topic, partition: 0, errorCode: 0 }],
  })
  const earliest = [{ topic, partition: 0, timestamp: -2 }]
  expect(await send('ListOffsets', { isolationLevel: 0, partitions: earliest })).toEqual({
    partitions: [{ topic, partition: 0, errorCode: 0, offset: 1 }],
  })
  expect(await fetchStable(topic, -1)).toMatchObject({
    errorCode: kafkaError.OFFSET_OUT_OF_RANGE,
    records: Buffer.alloc(0),
  })
})

test('a held Fetch holds up nothing on another lane', async () => {
  const topic = await createTopic()
  const partitions = [{ topic, partition: 0, offset: 0, maxBytes: 1000 }]
  const fetch = { maxWaitMs: 2000, minBytes: 1, maxBytes: 1000, partitions }
  const finished: string[] = []
  const held = wire
    .send(nodeId, 'Fetch', fetch, { timeoutMs, lane: 'fetch' })
    .then(() => finished.push('fetch'))
  await send('Metadata', { topics: [] }).then(() => finished.push('metadata'))
  await held
  expect(finished).toEqual(['metadata', 'fetch'])
})

describe('connections', () => {
  let proxy: Server
  const sockets: Socket[] = []
  /** While false, what the broker answers does not come through. */
  let answers = true

  async function startProxy(): Promise<string> {
    const [host = '', port = ''] = bootstrapServers().split(',')[0]?.split(':') ?? []
    answers = true
    proxy = createServer((client) => {
      const upstream = connect(Number(port), host)
      sockets.push(client, upstream)
      client.on('data', (chunk) => upstream.write(chunk))
      upstream.on('data', (chunk) => void (answers && client.write(chunk)))
      for (const [one, other] of [
        [client, upstream],
        [upstream, client],
      ] as const)
        one.on('error', () => other.destroy()).on('close', () => other.destroy())
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    const address = proxy.address()
    return `127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
  }

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy()
    await new Promise((resolve) => proxy.close(resolve))
  })

  test('an answer that does not come in time is an unknown outcome, and the next request gets its own answer', async () => {
    const proxied = createWire(await startProxy())
    const metadata = { topics: [] }
    await proxied.send('bootstrap', 'Metadata', metadata, inTime)
    answers = false
    const late = proxied.send('bootstrap', 'Metadata', metadata, { timeoutMs: 200, lane: 'control' })
    await expect(late).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    answers = true
    const coordinator = { key: uniquePrefix('group'), keyType: 0 } as const
    const found = await settled(
      () => proxied.send('bootstrap', 'FindCoordinator', coordinator, inTime),
      byErrorCode,
    )
    expect(found).toMatchObject({ errorCode: 0, nodeId })
    await proxied.close()
  })

  test('a connection that breaks is an unknown outcome for what was sent, and the next request makes a new one', async () => {
    const proxied = createWire(await startProxy())
    const topic = await createTopic()
    const partitions = [{ topic, partition: 0, offset: 0, maxBytes: 1000 }]
    const fetch = { maxWaitMs: 5000, minBytes: 1, maxBytes: 1000, partitions }
    // A partition that has no leader yet answers at once, with an error.
    await settled(
      () => proxied.send('bootstrap', 'Fetch', { ...fetch, maxWaitMs: 0 }, inTime),
      (answer) => answer.partitions[0]?.errorCode ?? answer.errorCode,
    )
    const held = proxied.send('bootstrap', 'Fetch', fetch, inTime)
    const outcome = expect(held).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    await systemClock.sleep(100)
    for (const socket of sockets.splice(0)) socket.destroy()
    await outcome
    expect((await proxied.send('bootstrap', 'Metadata', { topics: [] }, inTime)).controllerId).toBe(nodeId)
    await proxied.close()
  })

  test('a broker that is gone is unreachable', async () => {
    const proxied = createWire(await startProxy())
    await proxied.send('bootstrap', 'Metadata', { topics: [] }, inTime)
    await proxied.close()
    const address = proxy.address()
    const port = typeof address === 'object' ? address?.port : 0
    for (const socket of sockets.splice(0)) socket.destroy()
    await new Promise((resolve) => proxy.close(resolve))
    const alone = createWire(`127.0.0.1:${port}`)
    await expect(alone.send('bootstrap', 'Metadata', { topics: [] }, inTime)).rejects.toMatchObject({
      code: 'KAFKA_UNREACHABLE',
      behaviour: 'retry',
    })
    await alone.close()
  })
})
