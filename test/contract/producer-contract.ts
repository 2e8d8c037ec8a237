import { expect, it } from 'vitest'
import type { GroupIdentity, TransactionalProducer } from '../../src/ports/kafka.ts'
import { codeOf, type PortScenario, sendValues } from './port-scenario.ts'

export function producerContract(scenario: () => PortScenario): void {
  it('shows a transaction whole after its commit and not before', async () => {
    const partition = await scenario().partition()
    const producer = await scenario().producer()
    expect(await sendValues(producer, partition, ['a', 'b'])).toBe(2)
    expect(await sendValues(producer, partition, ['c'])).toBe(3)
    expect(await scenario().values(partition)).toEqual([])
    await producer.commit()
    await scenario().until(async () => (await scenario().values(partition)).length > 0, 'the commit is seen')
    expect(await scenario().read(partition)).toEqual([
      { offset: 0, value: 'a' },
      { offset: 1, value: 'b' },
      { offset: 2, value: 'c' },
    ])
  })

  it('never shows an aborted transaction', async () => {
    const partition = await scenario().partition()
    const producer = await scenario().producer()
    await sendValues(producer, partition, ['lost'])
    await producer.abort()
    await sendValues(producer, partition, ['kept'])
    await producer.commit()
    await scenario().until(async () => (await scenario().values(partition)).length > 0, 'the commit is seen')
    expect(await scenario().values(partition)).toEqual(['kept'])
  })

  it('gives the end offset of each outgoing, over several partitions and batches', async () => {
    const topic = await scenario().topic(3)
    const producer = await scenario().producer()
    const counts = [3, 25, 1]
    const outgoing = counts.map((count, partition) => {
      const records = producer.appender()
      for (let i = 0; i < count; i++) records.append(null, Buffer.alloc(100_000, i), 1_700_000_000_000)
      return { partition: { topic, partition }, records }
    })
    const again = producer.appender()
    again.append(null, Buffer.from('last'), 1_700_000_000_000)
    const first = { topic, partition: 0 }
    expect(await producer.send([...outgoing, { partition: first, records: again }])).toEqual([3, 25, 1, 4])
    await producer.commit()
    expect(await sendValues(producer, first, ['next'])).toBe(6)
    await producer.commit()
    const second = { topic, partition: 1 }
    await scenario().until(async () => (await scenario().read(second)).length === 25, 'all are seen')
  })

  it('fences the older producer of the same id, and aborts its transaction before init returns', async () => {
    const partition = await scenario().partition()
    const transactionalId = scenario().port.uniqueName('shared-id')
    const old = await scenario().producer(scenario().newClient(), transactionalId)
    await sendValues(old, partition, ['of the zombie'])
    const young = await scenario().producer(scenario().newClient(), transactionalId)
    const [highWatermark, lastStable] = await ends(scenario(), partition)
    expect(lastStable).toBe(highWatermark)
    expect(await codeOf(() => old.commit())).toBe('PRODUCER_FENCED')
    await sendValues(young, partition, ['of the owner'])
    await young.commit()
    await scenario().until(async () => (await scenario().values(partition)).length > 0, 'the commit is seen')
    expect(await scenario().values(partition)).toEqual(['of the owner'])
  })

  it('fences a zombie at its next send', async () => {
    const partition = await scenario().partition()
    const transactionalId = scenario().port.uniqueName('shared-id')
    const old = await scenario().producer(scenario().newClient(), transactionalId)
    await sendValues(old, partition, ['before'])
    await old.commit()
    await scenario().producer(scenario().newClient(), transactionalId)
    expect(await codeOf(() => sendValues(old, partition, ['of the zombie']))).toBe('PRODUCER_FENCED')
  })

  it('fences a zombie in the middle of its transaction', async () => {
    const partition = await scenario().partition()
    const transactionalId = scenario().port.uniqueName('shared-id')
    const old = await scenario().producer(scenario().newClient(), transactionalId)
    await sendValues(old, partition, ['before'])
    await scenario().producer(scenario().newClient(), transactionalId)
    // The partition is in the zombie's transaction already: it is the leader that must refuse the records.
    expect(await codeOf(() => sendValues(old, partition, ['of the zombie']))).toBe('PRODUCER_FENCED')
  })

  it('aborts a transaction whose time has passed, and refuses its late end', async () => {
    const partition = await scenario().partition()
    const transactionalId = scenario().port.uniqueName('slow-id')
    const slow = scenario().client.producer({ transactionalId, transactionTimeoutMs: 1000 })
    await slow.init()
    await sendValues(slow, partition, ['too late'])
    // The coordinator looks for such transactions every ten seconds.
    await scenario().until(
      async () => {
        const [highWatermark, lastStable] = await ends(scenario(), partition)
        return highWatermark === 2 && lastStable === 2
      },
      'the transaction is aborted',
      30_000,
    )
    // Of the next owner's transaction too, into which it must not fall.
    const next = await scenario().producer(scenario().newClient(), transactionalId)
    await sendValues(next, partition, ['in time'])
    expect(await codeOf(() => slow.commit())).toBe('PRODUCER_FENCED')
    await next.commit()
    await scenario().until(async () => (await scenario().values(partition)).length > 0, 'the commit is seen')
    expect(await scenario().values(partition)).toEqual(['in time'])
  })

  it('refuses every call after a failure', async () => {
    const partition = await scenario().partition()
    const producer = await scenario().producer()
    const records = producer.appender()
    records.append(null, Buffer.alloc(2_000_000), 1_700_000_000_000)
    expect(await codeOf(() => producer.send([{ partition, records }]))).toBe('RECORD_TOO_LARGE')
    const calls: ((dead: TransactionalProducer) => Promise<unknown>)[] = [
      (dead) => dead.init(),
      (dead) => sendValues(dead, partition, ['a']),
      (dead) => dead.sendOffsets(nobody('group'), []),
      (dead) => dead.commit(),
      (dead) => dead.abort(),
    ]
    for (const call of calls) expect(await codeOf(() => call(producer))).toBe('RECORD_TOO_LARGE')
  })

  it('refuses calls that its state does not allow', async () => {
    const fresh = () => scenario().producer()
    const uninitialized = scenario().client.producer({
      transactionalId: 'unused',
      transactionTimeoutMs: 10_000,
    })
    expect(await codeOf(() => uninitialized.commit())).toBe('INTERNAL')
    const idle = await fresh()
    expect(await codeOf(() => idle.commit())).toBe('INTERNAL')
    const closed = await fresh()
    closed.close()
    expect(await codeOf(() => closed.abort())).toBe('INTERNAL')
  })

  it('says so where the topic does not exist', async () => {
    const producer = await scenario().producer()
    const partition = { topic: scenario().port.uniqueName('missing'), partition: 0 }
    expect(await codeOf(() => sendValues(producer, partition, ['a']))).toBe('TOPIC_MISSING')
  })
}

export function offsetsContract(scenario: () => PortScenario): void {
  it('commits offsets with the transaction, and forgets those of an aborted one', async () => {
    const partition = await scenario().partition()
    const { member, identity } = await joined(scenario())
    const producer = await scenario().producer()
    expect(await member.committedOffsets([partition])).toEqual([null])
    await producer.sendOffsets(identity, [{ partition, offset: 5, metadata: 'm' }])
    await producer.commit()
    expect(await member.committedOffsets([partition])).toEqual([{ partition, offset: 5, metadata: 'm' }])
    await producer.sendOffsets(identity, [{ partition, offset: 9, metadata: '' }])
    await producer.abort()
    expect(await member.committedOffsets([partition])).toEqual([{ partition, offset: 5, metadata: 'm' }])
    expect(await scenario().client.admin.groupOffsets(identity.groupId, [partition])).toEqual([
      { partition, offset: 5, metadata: 'm' },
    ])
  })

  it('takes offsets of a group without members from nobody, and makes the group', async () => {
    const partition = await scenario().partition()
    const { admin } = scenario().client
    const groupId = scenario().port.uniqueName('group')
    const producer = await scenario().producer()
    const offsets = (offset: number) => [{ partition, offset, metadata: `{"at":${offset}}` }]
    await producer.sendOffsets(nobody(groupId), offsets(5))
    await producer.commit()
    expect(await admin.committedOffsets(groupId, [partition])).toEqual(offsets(5))
    await producer.sendOffsets(nobody(groupId), offsets(9))
    await producer.abort()
    expect(await admin.committedOffsets(groupId, [partition])).toEqual(offsets(5))
    expect((await admin.describeGroup(groupId)).members).toEqual([])
    await admin.deleteGroup(groupId)
    expect(await admin.committedOffsets(groupId, [partition])).toEqual([null])
  })

  it('waits for a pending transaction instead of giving the offset before it', async () => {
    const partition = await scenario().partition()
    const { member, identity } = await joined(scenario())
    const producer = await scenario().producer()
    await producer.sendOffsets(identity, [{ partition, offset: 1, metadata: '' }])
    await producer.commit()
    await producer.sendOffsets(identity, [{ partition, offset: 2, metadata: '' }])
    let answered = false
    const asked = member.committedOffsets([partition]).finally(() => {
      answered = true
    })
    await scenario().port.clock.sleep(300)
    expect(answered).toBe(false)
    await producer.commit()
    expect(await asked).toEqual([{ partition, offset: 2, metadata: '' }])
  })

  it('rejects offsets of a generation that is over, and keeps those before', async () => {
    const partition = await scenario().partition()
    const { member, identity: stale } = await joined(scenario())
    const producer = await scenario().producer()
    await producer.sendOffsets(stale, [{ partition, offset: 1, metadata: '' }])
    await producer.commit()
    await member.join()
    expect(member.identity().generationId).toBeGreaterThan(stale.generationId)
    const zombie = await scenario().producer()
    const offsets = [{ partition, offset: 7, metadata: '' }]
    expect(await codeOf(() => zombie.sendOffsets(stale, offsets))).toBe('TASK_MIGRATED')
    await scenario().producer()
    expect(await member.committedOffsets([partition])).toEqual([{ partition, offset: 1, metadata: '' }])
  })

  it('rejects offsets of a member that the group does not know', async () => {
    const partition = await scenario().partition()
    const { identity } = await joined(scenario())
    const producer = await scenario().producer()
    const stranger = { ...identity, memberId: 'stranger' }
    const offsets = [{ partition, offset: 7, metadata: '' }]
    expect(await codeOf(() => producer.sendOffsets(stranger, offsets))).toBe('TASK_MIGRATED')
  })
}

async function joined(scenario: PortScenario) {
  const member = scenario.member({ groupId: scenario.port.uniqueName('group') })
  await member.join()
  return { member, identity: member.identity() }
}

function nobody(groupId: string): GroupIdentity {
  return { groupId, generationId: -1, memberId: '', instanceId: null }
}

async function ends(scenario: PortScenario, partition: { topic: string; partition: number }) {
  const { admin } = scenario.client
  const [highWatermark] = await admin.listOffsets([partition], 'highWatermark')
  const [lastStable] = await admin.listOffsets([partition], 'lastStable')
  return [highWatermark, lastStable]
}
