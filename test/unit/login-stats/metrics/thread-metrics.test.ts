import { afterEach, beforeEach, expect, test } from 'vitest'
import { CodedError } from '../../../../src/errors.ts'
import { ThreadMetrics } from '../../../../src/login-stats/metrics/thread-metrics.ts'
import { systemClock } from '../../../../src/system/clock.ts'

let metrics: ThreadMetrics

beforeEach(() => {
  metrics = new ThreadMetrics(3, { ...systemClock, now: () => 100_000 }, ['1m'])
})
afterEach(() => metrics.close())

const facts = { durationMs: 12, records: 1, caughtUp: true, originAt: null }

/** Values of one metric by its labels other than the thread's. */
async function valuesOf(name: string): Promise<Record<string, number>> {
  const metric = (await metrics.collect()).find((one) => one.name === `login_stats_${name}`)
  return Object.fromEntries(
    (metric?.values ?? []).map(({ labels: { thread, ...labels }, value, ...rest }) => {
      expect(thread).toBe('3')
      const { metricName = '' } = rest as { metricName?: string }
      const suffix = metricName.replace(`login_stats_${name}`, '')
      return [[suffix, ...Object.values(labels)].filter(Boolean).join(' '), Number(value)]
    }),
  )
}

function commit(task: string): void {
  metrics.observer.commitStep?.(task, 1)
  metrics.observer.committed?.(task, facts)
}

test('logins count once their commit is a fact, those of the next one later', async () => {
  const meter = metrics.of('0_1')
  meter.counted(5)
  meter.invalid('NOT_JSON')
  metrics.observer.commitStep?.('0_1', 1)
  meter.counted(7)
  expect(await valuesOf('logins_total')).toEqual({ counted: 0, invalid: 0 })
  metrics.observer.committed?.('0_1', facts)
  expect(await valuesOf('logins_total')).toEqual({ counted: 5, invalid: 1 })
  expect(await valuesOf('dead_letters_total')).toMatchObject({ NOT_JSON: 1, FIELD_INVALID: 0 })
  commit('0_1')
  expect(await valuesOf('logins_total')).toEqual({ counted: 12, invalid: 1 })
})

test('what an aborted commit had taken does not count; what is read again counts once', async () => {
  const meter = metrics.of('0_1')
  metrics.observer.taskChanged?.('0_1', 'running')
  meter.counted(5)
  metrics.observer.commitStep?.('0_1', 1)
  meter.counted(2)
  metrics.observer.transactionEnded?.('unknown')
  metrics.observer.aborted?.('0_1', new CodedError('OUTCOME_UNKNOWN', { operation: 'commit' }))
  metrics.observer.taskChanged?.('0_1', 'restoring')
  metrics.observer.aborted?.('0_1', new CodedError('OUTCOME_UNKNOWN', { operation: 'take over' }))
  const again = metrics.of('0_1')
  metrics.observer.taskChanged?.('0_1', 'running')
  again.counted(7)
  commit('0_1')
  expect(await valuesOf('logins_total')).toEqual({ counted: 7, invalid: 0 })
  // The commit of a task is no transaction: others may be in it.
  expect(await valuesOf('transactions_total')).toEqual({ committed: 0, aborted: 0, unknown: 1 })
  expect(await valuesOf('task_errors_total')).toEqual({ OUTCOME_UNKNOWN: 2 })
})

test('latency goes from the origin of a commit to its end, and is known only where the origin is', async () => {
  metrics.observer.committed?.('0_1', facts)
  metrics.observer.committed?.('1_1', { ...facts, originAt: 99_970 })
  const latency = await valuesOf('end_to_end_latency_seconds')
  expect(latency._count).toBe(1)
  expect(latency._sum).toBeCloseTo(0.03)
  expect((await valuesOf('commit_duration_seconds'))._count).toBe(2)
})
