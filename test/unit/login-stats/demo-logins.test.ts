import { expect, test } from 'vitest'
import { CodedError, type ErrorCode } from '../../../src/errors.ts'
import type { WriteOptions } from '../../../src/login-stats/commands/record-writer.ts'
import { keepWriting } from '../../../src/login-stats/demo-logins.ts'
import type { KafkaClient } from '../../../src/ports/kafka.ts'
import type { Log } from '../../../src/ports/log.ts'

function* logins() {
  for (let at = 0; ; at++) yield { value: Buffer.from(`${at}`), valid: true, timestampMs: at }
}

/** Each producer's commits fail with the next of these codes; the last one's succeed. Stops after three transactions of it. */
async function written(codes: readonly ErrorCode[]) {
  let nowMs = 0
  let [producers, transactions, records] = [0, 0, 0]
  const kafka = {
    admin: { topics: async () => new Map([['in', { name: 'in', partitionCount: 1 }]]) },
    producer: () => {
      const code = codes[producers++]
      return {
        init: async () => undefined,
        appender: () => ({ sizeInBytes: 0, append: () => undefined }),
        send: async () => [],
        commit: async () => {
          if (code !== undefined) throw new CodedError(code, { operation: 'commit' })
          transactions++
        },
        close: () => undefined,
      }
    },
  } as unknown as KafkaClient
  const clock = {
    monotonic: () => nowMs,
    sleep: async (ms: number) => {
      nowMs += ms
    },
  } as WriteOptions['clock']
  const log = { warn: () => undefined } as unknown as Log
  await keepWriting(logins(), log, {
    ...{ kafka, clock, topic: 'in', transactionalId: 'id', rate: 100, count: Number.POSITIVE_INFINITY },
    isStopped: () => transactions >= 3,
    onWritten: (total) => {
      records = total.records
    },
  })
  return { producers, records }
}

test('a broker that is away for a while does not end the demo: its logins go on with a new producer, at their rate', async () => {
  const codes = ['OUTCOME_UNKNOWN', 'KAFKA_UNREACHABLE', 'PRODUCER_FENCED'] as const
  expect(await written(codes)).toEqual({ producers: 4, records: 60 })
})

test('what nothing but a change elsewhere mends ends it', async () => {
  await expect(written(['AUTHORIZATION_FAILED'])).rejects.toMatchObject({ code: 'AUTHORIZATION_FAILED' })
})
