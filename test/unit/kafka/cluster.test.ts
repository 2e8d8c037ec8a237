import { describe, expect, it } from 'vitest'
import { CodedError } from '../../../src/errors.ts'
import { groupKey } from '../../../src/kafka/cluster.ts'
import { codeOf, metadata, scripted } from './scripted-wire.ts'

const partition = { topic: 't', partition: 0 }
const group = groupKey('g')
const options = { timeoutMs: 1000, lane: 'test' }
const unreachable = new CodedError('KAFKA_UNREACHABLE', { operation: 'wire' })
const lost = new CodedError('OUTCOME_UNKNOWN', { operation: 'wire' })

describe('the cluster', () => {
  it('asks for a leader once, and again after it was forgotten', async () => {
    const { wire, context } = scripted()
    const { cluster } = context
    await cluster.byLeader([partition], 1000)
    await cluster.byLeader([partition, { topic: 't', partition: 3 }], 1000)
    expect(wire.sent('Metadata')).toHaveLength(1)
    cluster.forgetLeader(partition)
    await cluster.byLeader([partition], 1000)
    expect(wire.sent('Metadata')).toHaveLength(2)
  })

  it('is not led back by a broker that lags behind', async () => {
    const { wire, context } = scripted()
    const { cluster } = context
    wire.script('Metadata', metadata(['t'], 2, 7), metadata(['t'], 1, 6))
    await cluster.byLeader([partition], 1000)
    await cluster.metadata(['t'], 1000)
    expect(cluster.leaderIfKnown(partition)).toBe(2)
  })

  it('asks a known broker where the bootstrap brokers are gone', async () => {
    const { wire, context } = scripted()
    await context.cluster.metadata([], 1000)
    wire.on('Metadata', (_, target) => (target === 'bootstrap' ? unreachable : metadata(['t'])))
    expect(await codeOf(() => context.cluster.metadata(['t'], 1000))).toBe('KAFKA_UNREACHABLE')
    await context.cluster.metadata(['t'], 1000)
    expect(wire.sent('Metadata').at(-1)?.target).toBe(1)
  })

  it('takes a lost answer to a mere question for a passing failure', async () => {
    const { wire, context } = scripted()
    wire.script('Metadata', lost)
    expect(await codeOf(() => context.cluster.metadata([], 1000))).toBe('KAFKA_RETRIABLE')
  })

  it('keeps a coordinator until a request to it fails or it says that it is none', async () => {
    const { wire, context } = scripted()
    const { cluster } = context
    const beat = () =>
      cluster.toCoordinator(
        group,
        'Heartbeat',
        { groupId: 'g', generationId: 1, memberId: 'm', instanceId: null },
        options,
      )
    const lookUps = () => wire.sent('FindCoordinator').length
    wire.script('Heartbeat', { errorCode: 0 }, { errorCode: 0 }, lost, { errorCode: 16 }, { errorCode: 0 })
    await beat()
    await beat()
    expect(lookUps()).toBe(1)
    expect(await codeOf(beat)).toBe('OUTCOME_UNKNOWN')
    await beat()
    expect(lookUps()).toBe(2)
    cluster.coordinatorError(group, 16, 'Heartbeat')
    await beat()
    expect(lookUps()).toBe(3)
  })

  it('says which topic it may not describe', async () => {
    const { wire, context } = scripted()
    const answer = metadata(['t'])
    wire.script('Metadata', {
      ...answer,
      topics: [{ name: 't', errorCode: 29, topicId: null, partitions: [] }],
    })
    expect(await codeOf(() => context.cluster.byLeader([partition], 1000))).toBe('AUTHORIZATION_FAILED')
  })
})
