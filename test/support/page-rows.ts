/** Rows and tasks as a table might have them, for tests of the page. */
import type { Row, Task, Tasks } from '../../src/login-stats/http/api-schemas.ts'

const windows = { '1m': 0.001, '5m': 0.004, '1h': 0.05, '24h': 0.6 }

/** The values of a combined dimension are given as in its keys. A row whose rolling counts are `rolling`, or a part of its count that is the greater the longer the window. */
export function row(
  dimension: string,
  value: string,
  count: number,
  rolling: Readonly<Record<string, number>> = {},
): Row {
  const isCombined = dimension.includes('+')
  const parts = Object.entries(windows).map(([name, part]) => [name, Math.round(count * part)])
  return {
    key: dimension === 'total' ? 'total' : `${dimension}:${isCombined ? value : encodeURIComponent(value)}`,
    dimension,
    value: isCombined ? decodeURIComponent(value) : value,
    count,
    rolling: { ...Object.fromEntries(parts), ...rolling },
    first_seen: '2023-09-12T00:32:31.000Z',
    last_seen: '2026-03-02T14:10:04.000Z',
    as_of: '2026-03-02T14:10:04.000Z',
  }
}

/** Rows of one dimension: the n-th value has a n-th part of the logins of the first. */
export function rankedRows(dimension: string, values: readonly string[], first: number): Row[] {
  return values.map((value, index) => row(dimension, value, Math.round(first / (index + 1))))
}

/** Adds the row that counts all of the rows of the first dimension. */
export function withTotal(rows: readonly Row[]): Row[] {
  const dimension = rows[0]?.dimension
  const counted = rows.filter((each) => each.dimension === dimension)
  const sum = (number: (each: Row) => number): number => counted.reduce((all, each) => all + number(each), 0)
  const rolling = Object.keys(windows).map((name) => [name, sum((each) => each.rolling[name] ?? 0)])
  return [
    row(
      'total',
      'total',
      sum(({ count }) => count),
      Object.fromEntries(rolling),
    ),
    ...rows,
  ]
}

/** `partitions` tasks of each subtopology, spread over the instances in turn. */
export function tasksOf(instances: readonly string[], partitions: number): Tasks {
  const tasks = ['user-login', 'login-stats-counts-repartition'].flatMap((topic, subtopology) =>
    Array.from(
      { length: partitions },
      (_, partition): Task => ({
        task: `${subtopology}_${partition}`,
        topic,
        partition,
        instance: instances[partition % instances.length] ?? null,
        state: 'running',
        lag_records: partition % 3,
        restore: null,
        standbys:
          subtopology === 0 || instances.length === 1
            ? []
            : [{ instance: instances[(partition + 1) % instances.length] ?? '', lag_records: partition * 4 }],
      }),
    ),
  )
  return {
    age_ms: 40,
    group: 'login-stats',
    group_state: 'Stable',
    instances: instances.map((instance, index) => ({
      instance,
      host: `10.0.0.${index + 1}`,
      endpoint: `http://10.0.0.${index + 1}:8080`,
      is_reachable: true,
      is_this: index === 0,
      tasks: tasks.filter((task) => task.instance === instance).map(({ task }) => task),
      standby_tasks: tasks
        .filter(({ standbys }) => standbys.some((standby) => standby.instance === instance))
        .map(({ task }) => task),
    })),
    tasks,
  }
}
