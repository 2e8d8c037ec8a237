import { expect, it } from 'vitest'
import { codeOf, type PortScenario, sendValues } from './port-scenario.ts'

export function adminContract(scenario: () => PortScenario): void {
  it('knows the cluster and its topics', async () => {
    const { admin } = scenario().client
    const topic = await scenario().topic(3)
    expect(await admin.clusterId()).not.toBe('')
    const topics = await admin.topics([topic, scenario().port.uniqueName('absent')])
    expect([...topics.keys()]).toEqual([topic])
    expect(topics.get(topic)).toMatchObject({ name: topic, partitionCount: 3 })
    expect(topics.get(topic)?.topicId).toMatch(/^[A-Za-z0-9_-]{22}$/)
  })

  it('makes a topic once, with its configuration', async () => {
    const { admin } = scenario().client
    const config = { 'cleanup.policy': 'compact', 'retention.ms': '-1' }
    const topic = await scenario().topic(2, config)
    await admin.createTopics([{ name: topic, partitionCount: 5, replicationFactor: -1, config: {} }])
    expect((await admin.topics([topic])).get(topic)?.partitionCount).toBe(2)
    const effective = await admin.topicConfig(topic)
    expect(effective.get('cleanup.policy')).toBe('compact')
    expect(effective.get('retention.ms')).toBe('-1')
    expect(effective.has('max.message.bytes')).toBe(true)
    const missing = scenario().port.uniqueName('missing')
    expect(await codeOf(() => admin.topicConfig(missing))).toBe('TOPIC_MISSING')
  })

  it('refuses a replication factor that the cluster cannot give', async () => {
    const { admin } = scenario().client
    const topic = { name: scenario().port.uniqueName('wide'), partitionCount: 1, config: {} }
    expect(await codeOf(() => admin.createTopics([{ ...topic, replicationFactor: 99 }]))).toBe(
      'PROTOCOL_ERROR',
    )
  })

  it('adds partitions, which can be written at once', async () => {
    const { admin } = scenario().client
    const topic = await scenario().topic(1)
    await admin.addPartitions(topic, 3)
    await admin.addPartitions(topic, 3)
    expect((await admin.topics([topic])).get(topic)?.partitionCount).toBe(3)
    const producer = await scenario().producer()
    expect(await sendValues(producer, { topic, partition: 2 }, ['a'])).toBe(1)
    await producer.commit()
  })

  it('gives a topic that is made again another id', async () => {
    const { admin } = scenario().client
    const topic = await scenario().topic(1)
    const before = (await admin.topics([topic])).get(topic)
    await admin.deleteTopics([topic])
    await admin.deleteTopics([topic])
    expect((await admin.topics([topic])).size).toBe(0)
    await admin.createTopics([{ name: topic, partitionCount: 1, replicationFactor: -1, config: {} }])
    expect((await admin.topics([topic])).get(topic)?.topicId).not.toBe(before?.topicId)
  })

  it('tells the first, the last stable and the end offset apart', async () => {
    const { admin } = scenario().client
    const topic = await scenario().topic(2)
    const [partition, empty] = [
      { topic, partition: 0 },
      { topic, partition: 1 },
    ]
    const producer = await scenario().producer()
    await sendValues(producer, partition, ['a', 'b', 'c'])
    await producer.commit()
    await scenario().until(
      async () => (await admin.listOffsets([partition], 'lastStable'))[0] === 4,
      'commit',
    )
    await sendValues(producer, partition, ['open'])
    await admin.deleteRecords([{ partition, offset: 1 }])
    expect(await admin.listOffsets([empty, partition], 'earliest')).toEqual([0, 1])
    expect(await admin.listOffsets([empty, partition], 'lastStable')).toEqual([0, 4])
    expect(await admin.listOffsets([empty, partition], 'highWatermark')).toEqual([0, 5])
    await producer.abort()
    expect(await codeOf(() => admin.deleteRecords([{ partition, offset: 99 }]))).toBe('OFFSET_OUT_OF_RANGE')
    const missing = { topic, partition: 7 }
    expect(await codeOf(() => admin.listOffsets([missing], 'earliest'))).toBe('TOPIC_MISSING')
  })

  it('describes groups and deletes only those without members', async () => {
    const { admin } = scenario().client
    const groupId = scenario().port.uniqueName('group')
    const partition = await scenario().partition()
    expect(await admin.describeGroup(groupId)).toEqual({ state: 'Dead', members: [] })
    expect(await admin.groupOffsets(groupId, [partition])).toEqual([null])
    await admin.deleteGroup(groupId)
    const member = scenario().member({ groupId, topics: [partition.topic] })
    await member.join()
    const producer = await scenario().producer()
    await producer.sendOffsets(member.identity(), [{ partition, offset: 3, metadata: '' }])
    await producer.commit()
    expect(await admin.committedOffsets(groupId, [partition])).toEqual([
      { partition, offset: 3, metadata: '' },
    ])
    // Stable by now; before that it would be what was committed before.
    expect(await admin.groupOffsets(groupId, [partition])).toEqual([{ partition, offset: 3, metadata: '' }])
    expect(await codeOf(() => admin.deleteGroup(groupId))).toBe('PROTOCOL_ERROR')
    await member.close(true)
    await admin.deleteGroup(groupId)
    expect(await admin.groupOffsets(groupId, [partition])).toEqual([null])
  })
}
