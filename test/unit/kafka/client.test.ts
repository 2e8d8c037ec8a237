import { describe, expect, it } from 'vitest'
import { CodedError } from '../../../src/errors.ts'
import { createKafkaClient } from '../../../src/kafka/client.ts'
import { codeOf, scripted } from './scripted-wire.ts'

const unreachable = new CodedError('KAFKA_UNREACHABLE', { operation: 'wire' })

describe('the Kafka client', () => {
  it('waits for Kafka at start and says so every few seconds', async () => {
    const { wire, clock, context } = scripted()
    const client = createKafkaClient({ ...context, wire, compression: 'none' })
    const startedAt = clock.monotonic()
    const reports: number[] = []
    wire.script('Metadata', ...Array(40).fill(unreachable), {
      clusterId: 'c',
      controllerId: 1,
      brokers: [],
      topics: [],
    })
    expect(
      await client.admin.clusterId((cause, waitedMs) => {
        expect(cause).toBe(unreachable)
        reports.push(waitedMs)
      }),
    ).toBe('c')
    const waitedMs = clock.monotonic() - startedAt
    expect(reports.length).toBeGreaterThan(1)
    expect(reports.length).toBeLessThanOrEqual(waitedMs / 3000)
  })

  it('does not wait where waiting does not help', async () => {
    const { wire, context } = scripted()
    const client = createKafkaClient({ ...context, wire, compression: 'none' })
    wire.script('Metadata', new CodedError('AUTHENTICATION_FAILED', { operation: 'wire' }))
    expect(await codeOf(() => client.admin.clusterId())).toBe('AUTHENTICATION_FAILED')
  })

  it('ends what it is trying when it is closed', async () => {
    const { wire, context } = scripted()
    const client = createKafkaClient({ ...context, wire, compression: 'none' })
    let asked = 0
    wire.on('Metadata', async () => {
      if (++asked === 3) await client.close()
      return unreachable
    })
    expect(await codeOf(() => client.admin.clusterId())).toBe('INTERNAL')
    expect(asked).toBe(3)
  })
})
