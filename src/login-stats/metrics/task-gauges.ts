/** What the status of each task says, as gauges with the label `task`. What is not known of a task has no series. */
import { Gauge, type Registry } from 'prom-client'
import type { TaskStatus } from '../../streams/index.ts'
import { metricPrefix } from './metric-prefix.ts'

interface TaskGauge {
  readonly name: string
  readonly help: string
  /** Null where there is nothing to tell. */
  of(status: TaskStatus): number | null
}

const table: readonly TaskGauge[] = [
  {
    name: 'task_lag_records',
    help: 'Records of its input that the task has not processed yet; while it does not run, that the group has not committed.',
    of: ({ state, lag }) => (state === 'standby' ? null : lag),
  },
  {
    name: 'task_lag_seconds',
    help: 'How old the last processed record is, while there are more; else 0. Not told while it is not known: of a task that does not run.',
    of: ({ lagSeconds }) => lagSeconds,
  },
  {
    name: 'standby_lag_records',
    help: 'Changelog records that a standby copy is behind.',
    of: ({ state, lag }) => (state === 'standby' ? lag : null),
  },
  {
    name: 'restore_remaining_records',
    help: 'Changelog offsets that a restore under way has before it.',
    of: ({ restore }) => (restore === null ? null : restore.end - restore.position),
  },
  {
    name: 'restore_remaining_seconds',
    help: 'How long a restore under way will take, at its pace so far.',
    of: ({ restore }) => restore?.remainingSeconds ?? null,
  },
  {
    name: 'store_entries',
    help: 'Committed entries of the store.',
    of: ({ storeEntries }) => storeEntries,
  },
  {
    name: 'overlay_size_bytes',
    help: 'What the task holds in memory until its next commit.',
    of: ({ state, uncommittedBytes }) => (state === 'standby' ? null : uncommittedBytes),
  },
]

export class TaskGauges {
  readonly #gauges: readonly { readonly gauge: Gauge<'task'>; readonly of: TaskGauge['of'] }[]
  readonly #states: Gauge<'task' | 'state'>
  readonly #storeSizes: Gauge<'task'>

  constructor(registry: Registry) {
    const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
      new Gauge({ name: `${metricPrefix}${name}`, help, labelNames, registers: [registry] })
    this.#states = gauge('task_state', 'Always 1; the state of the task stands in the label.', [
      'task',
      'state',
    ])
    this.#gauges = table.map(({ name, help, of }) => ({ gauge: gauge(name, help, ['task']), of }))
    this.#storeSizes = gauge('store_size_bytes', 'Size of the store on disk.', ['task'])
  }

  /** Tells how the tasks stand now, and nothing of those that are not among them. */
  async set(
    tasks: readonly TaskStatus[],
    storeSizeInBytes: (task: string) => Promise<number>,
  ): Promise<void> {
    this.#states.reset()
    for (const { task, state } of tasks) this.#states.set({ task, state }, 1)
    for (const { gauge, of } of this.#gauges) {
      gauge.reset()
      for (const status of tasks) {
        const value = of(status)
        if (value !== null) gauge.set({ task: status.task }, value)
      }
    }
    const stored = tasks.filter(({ storeEntries }) => storeEntries !== null)
    const sizes = await Promise.all(stored.map(({ task }) => storeSizeInBytes(task)))
    this.#storeSizes.reset()
    for (const [at, { task }] of stored.entries()) this.#storeSizes.set({ task }, sizes[at] ?? 0)
  }
}
