import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { TaskGauges } from '../../../../src/login-stats/metrics/task-gauges.ts'
import type { TaskStatus } from '../../../../src/streams/index.ts'

const running: TaskStatus = {
  ...{ task: '1_0', state: 'running', lag: 7, lagSeconds: 0.5, isCaughtUp: false, restore: null },
  ...{ storeEntries: 12, uncommittedBytes: 340 },
}
const restoring: TaskStatus = {
  ...{ task: '1_1', state: 'restoring', lag: null, lagSeconds: null, isCaughtUp: false },
  restore: { position: 30, end: 100, remainingSeconds: 2 },
  ...{ storeEntries: null, uncommittedBytes: 0 },
}
const standby: TaskStatus = {
  ...{ task: '1_2', state: 'standby', lag: 9, lagSeconds: null, isCaughtUp: false, restore: null },
  ...{ storeEntries: null, uncommittedBytes: 0 },
}

/** Lines of the samples, without the prefix. */
async function samples(registry: Registry): Promise<string[]> {
  const text = await registry.metrics()
  return text
    .split('\n')
    .filter((line) => line.startsWith('login_stats_'))
    .map((line) => line.replace('login_stats_', ''))
    .toSorted()
}

test('each task has the series of what is known of it, and no others', async () => {
  const registry = new Registry()
  const gauges = new TaskGauges(registry)
  await gauges.set([running, restoring, standby], async () => 4096)
  expect(await samples(registry)).toEqual([
    'overlay_size_bytes{task="1_0"} 340',
    'overlay_size_bytes{task="1_1"} 0',
    'restore_remaining_records{task="1_1"} 70',
    'restore_remaining_seconds{task="1_1"} 2',
    'standby_lag_records{task="1_2"} 9',
    'store_entries{task="1_0"} 12',
    'store_size_bytes{task="1_0"} 4096',
    'task_lag_records{task="1_0"} 7',
    'task_lag_seconds{task="1_0"} 0.5',
    'task_state{task="1_0",state="running"} 1',
    'task_state{task="1_1",state="restoring"} 1',
    'task_state{task="1_2",state="standby"} 1',
  ])
})

test('a task that has gone has no series any more', async () => {
  const registry = new Registry()
  const gauges = new TaskGauges(registry)
  await gauges.set([running, standby], async () => 4096)
  await gauges.set([], async () => 4096)
  expect(await samples(registry)).toEqual([])
})
