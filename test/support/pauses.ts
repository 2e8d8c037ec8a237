/** How long tasks stood still around rebalances, by the logs of the instances. Times in ms. */
import type { Instance, LogLine } from './instance.ts'

export interface TaskPause {
  readonly task: string
  /** Between two successive commits of the task, the second of which came after the rebalance. */
  readonly pauseMs: number
  /** Changelog records that its new owner had to restore; null where there is no new owner, or no store. */
  readonly restoredRecords: number | null
}

export interface RebalancePauses {
  readonly generationId: number
  /** From when the first member heard of it until the last one had its tasks. */
  readonly durationMs: number
  /** Tasks with the same owner before and after. */
  readonly stayed: readonly TaskPause[]
  /** Tasks that changed their owner. */
  readonly moved: readonly TaskPause[]
}

interface Assignment {
  readonly instance: Instance
  readonly generationId: number
  readonly tasks: readonly string[]
  /** When the member heard that it must join. */
  readonly from: number
  readonly to: number
}

/** The rebalances after `since`, in their order. Each instance has one stream thread. */
export function rebalancePauses(instances: readonly Instance[], since: number): RebalancePauses[] {
  const byGeneration = Map.groupBy(instances.flatMap(assignmentsOf), ({ generationId }) => generationId)
  const commits = commitTimes(instances)
  const generationIds = [...byGeneration.keys()].toSorted((a, b) => a - b)
  return generationIds.flatMap((generationId, index) => {
    const now = byGeneration.get(generationId) ?? []
    const before = byGeneration.get(generationIds[index - 1] ?? -1) ?? []
    const from = Math.min(...now.map((assignment) => assignment.from))
    const to = Math.max(...now.map((assignment) => assignment.to))
    if (from < since) return []
    const stayed: TaskPause[] = []
    const moved: TaskPause[] = []
    for (const { instance, tasks, to: assignedAt } of now) {
      const hadBefore = before.find((old) => old.instance === instance)?.tasks ?? []
      for (const task of tasks) {
        const pauseMs = longestGap(commits.get(task) ?? [], from, to)
        if (hadBefore.includes(task)) stayed.push({ task, pauseMs, restoredRecords: null })
        else moved.push({ task, pauseMs, restoredRecords: restoredRecords(instance, task, assignedAt) })
      }
    }
    return [{ generationId, durationMs: to - from, stayed, moved }]
  })
}

/** The longest time between two commits of any task in which no rebalance was under way. */
export function longestQuietPause(instances: readonly Instance[], from: number, to: number): number {
  return Math.max(
    ...[...commitTimes(instances).values()].map((times) =>
      longestGap(
        times.filter((time) => time >= from && time <= to),
        from,
        to,
      ),
    ),
  )
}

function assignmentsOf(instance: Instance): Assignment[] {
  const assignments: Assignment[] = []
  let from: number | null = null
  let generationId = -1
  for (const line of instance.log) {
    if (line.msg === 'rejoin needed') from ??= line.time
    if (line.msg === 'joined the group') generationId = Number(line.generationId)
    if (line.msg !== 'Tasks assigned') continue
    const tasks = line.assigned as string[]
    assignments.push({ instance, generationId, tasks, from: from ?? startOf(line), to: line.time })
    from = null
  }
  return assignments
}

/** The first join of a member is asked for by nobody. */
function startOf({ time, durationMs }: LogLine): number {
  return time - Number(durationMs)
}

function commitTimes(instances: readonly Instance[]): Map<string, number[]> {
  const commits = instances.flatMap((instance) => instance.lines('Committed'))
  const byTask = Map.groupBy(commits, ({ task }) => String(task))
  return new Map(
    [...byTask].map(([task, lines]) => [task, lines.map(({ time }) => time).toSorted((a, b) => a - b)]),
  )
}

/** Among the times between two commits that touch the span from `from` to `to`. */
function longestGap(times: readonly number[], from: number, to: number): number {
  let longest = 0
  for (const [index, time] of times.entries()) {
    const next = times[index + 1]
    if (next === undefined || next < from || time > to) continue
    longest = Math.max(longest, next - time)
  }
  return longest
}

/** By the first restore after the assignment; it may have ended in the very moment before that was logged. */
function restoredRecords(instance: Instance, task: string, assignedAt: number): number | null {
  const restore = instance
    .lines('Store restored')
    .find((line) => line.task === task && line.time >= assignedAt - 100)
  return restore === undefined ? null : Number(restore.restoredRecords)
}
