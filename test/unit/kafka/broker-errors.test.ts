import { describe, expect, it } from 'vitest'
import { CodedError } from '../../../src/errors.ts'
import { brokerError, kafkaCodeOf } from '../../../src/kafka/broker-errors.ts'
import { kafkaError } from '../../../src/kafka/wire/wire.ts'

const operation = 'Produce'

describe('the meaning of Kafka error codes', () => {
  it.each([
    ['NOT_LEADER_OR_FOLLOWER', 'KAFKA_RETRIABLE'],
    ['CONCURRENT_TRANSACTIONS', 'KAFKA_RETRIABLE'],
    ['NOT_ENOUGH_REPLICAS', 'KAFKA_RETRIABLE'],
    ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'OUTCOME_UNKNOWN'],
    ['REQUEST_TIMED_OUT', 'OUTCOME_UNKNOWN'],
    ['DUPLICATE_SEQUENCE_NUMBER', 'OUTCOME_UNKNOWN'],
    ['INVALID_TXN_STATE', 'OUTCOME_UNKNOWN'],
    ['UNKNOWN_SERVER_ERROR', 'OUTCOME_UNKNOWN'],
    ['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED'],
    ['PRODUCER_FENCED', 'PRODUCER_FENCED'],
    ['INVALID_PRODUCER_ID_MAPPING', 'PRODUCER_FENCED'],
    ['ILLEGAL_GENERATION', 'TASK_MIGRATED'],
    ['FENCED_INSTANCE_ID', 'TASK_MIGRATED'],
    ['MESSAGE_TOO_LARGE', 'RECORD_TOO_LARGE'],
    ['GROUP_AUTHORIZATION_FAILED', 'AUTHORIZATION_FAILED'],
  ] as const)('%s is %s', (name, code) => {
    expect(brokerError(kafkaError[name], { operation }).code).toBe(code)
  })

  it('stops at a code that nobody knows', () => {
    expect(brokerError(32_000, { operation })).toMatchObject({ code: 'PROTOCOL_ERROR', behaviour: 'stop' })
  })

  it('never takes an error for retriable by omission: what may have taken effect is not in the table as passing', () => {
    const passing = Object.values(kafkaError).filter(
      (code) => code !== 0 && brokerError(code, { operation }).behaviour === 'retry',
    )
    const uncertain = [7, 13, 20, 45, 46, 48, 59, -1]
    expect(passing.filter((code) => uncertain.includes(code))).toEqual([])
  })

  it('keeps the code, the place and the reason', () => {
    const error = brokerError(6, { operation, topic: 't', partition: 3, detail: 'Because.' })
    expect(kafkaCodeOf(error)).toBe(6)
    expect(error.message).toContain(
      'Produce (topic t, partition 3): Kafka answered NOT_LEADER_OR_FOLLOWER. Because.',
    )
    expect(kafkaCodeOf(new CodedError('INTERNAL', { operation }))).toBeNull()
  })
})
