import { describe, expect, it } from 'vitest'
import { CodedError, type ErrorCode } from '../../../src/errors.ts'
import { brokerError } from '../../../src/kafka/broker-errors.ts'
import { type RetryOptions, retry } from '../../../src/kafka/retry.ts'
import { codeOf, scripted } from './scripted-wire.ts'

const operation = 'test'

async function outcome(failure: CodedError, failures: number, options: Partial<RetryOptions> = {}) {
  const { clock, context } = scripted()
  const startedAt = clock.monotonic()
  let attempts = 0
  const code = await codeOf(() =>
    retry(context, { deadline: startedAt + 10_000, ...options }, async () => {
      if (attempts++ < failures) throw failure
    }),
  )
  return { code, attempts, tookMs: clock.monotonic() - startedAt }
}

const failing = (code: ErrorCode) => new CodedError(code, { operation })

describe('retry', () => {
  it('tries passing failures again, waiting 5-20 ms first', async () => {
    const { code, attempts, tookMs } = await outcome(failing('KAFKA_UNREACHABLE'), 1)
    expect([code, attempts]).toEqual([null, 2])
    expect(tookMs).toBeGreaterThanOrEqual(5)
    expect(tookMs).toBeLessThanOrEqual(20)
  })

  it('waits about a second at the most', async () => {
    const { code, attempts } = await outcome(failing('KAFKA_RETRIABLE'), Infinity)
    expect(code).toBe('KAFKA_RETRIABLE')
    expect(attempts).toBeGreaterThan(15)
    expect(attempts).toBeLessThan(40)
  })

  it('waits some milliseconds for a transaction to end, then 5-20 ms again and again', async () => {
    const short = await outcome(brokerError(51, { operation }), 4)
    expect(short.tookMs).toBeLessThanOrEqual(4 * 4)
    const long = await outcome(brokerError(51, { operation }), 54)
    expect(long.tookMs - short.tookMs).toBeLessThanOrEqual(50 * 20)
    expect(long.tookMs - short.tookMs).toBeGreaterThanOrEqual(50 * 5)
  })

  it('tries an open outcome again only where the request may be repeated', async () => {
    expect(await outcome(failing('OUTCOME_UNKNOWN'), 1)).toMatchObject({
      code: 'OUTCOME_UNKNOWN',
      attempts: 1,
    })
    expect(await outcome(failing('OUTCOME_UNKNOWN'), 1, { idempotent: true })).toMatchObject({ code: null })
  })

  it('believes that a topic is missing after some seconds', async () => {
    const { code, tookMs } = await outcome(failing('TOPIC_MISSING'), Infinity)
    expect(code).toBe('TOPIC_MISSING')
    expect(tookMs).toBeGreaterThanOrEqual(5000)
    expect(tookMs).toBeLessThan(7000)
  })

  it('throws lasting failures at once', async () => {
    expect(await outcome(failing('AUTHORIZATION_FAILED'), 1)).toMatchObject({
      code: 'AUTHORIZATION_FAILED',
      attempts: 1,
    })
  })

  it('gives up after the process has stood still for long', async () => {
    const { clock, context } = scripted()
    const sleep = clock.sleep.bind(clock)
    clock.sleep = async (delayMs) => {
      clock.stall(4000)
      await sleep(delayMs)
    }
    let attempts = 0
    const options = { deadline: clock.monotonic() + 60_000, stallMs: 3000 }
    const code = await codeOf(() =>
      retry(context, options, async () => {
        attempts++
        throw failing('KAFKA_RETRIABLE')
      }),
    )
    expect([code, attempts]).toEqual(['KAFKA_RETRIABLE', 1])
  })
})
