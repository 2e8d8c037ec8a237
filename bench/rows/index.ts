/** Every row of the benchmark. */
import { type Backlog, measureBacklog } from './backlog.ts'
import { measureHotPartition } from './hot-partition.ts'
import { measureLatency } from './latency.ts'
import { measureRestart, measureStart } from './restart.ts'
import { measureRestore } from './restore.ts'
import { noVariants, type Row, type Scale } from './row.ts'

const counts: Omit<Backlog, 'logins'> = { partitions: 4, compression: 'none', users: null }
const byUser = { dimensions: ['user_id'], rollingWindows: '' } as const

/** Rows beside the first ones have so much of its logins. */
const share = (scale: Scale, part: number): number => Math.max(1000, Math.round(scale.logins * part))
const largestKeys = 1_000_000
/** The counts of the first row, with two fifths of its logins: what the growing rows vary. */
const fewerCounts = (scale: Scale): Backlog => ({ ...counts, logins: share(scale, 0.4) })

const ends = (scale: Scale, values: readonly string[]): readonly string[] =>
  scale.quick ? [values[0] ?? '', values.at(-1) ?? ''] : values

const main: readonly Row[] = [
  {
    name: 'counts',
    title: 'Counts of a backlog: 4 partitions, 3 dimensions, rolling windows on',
    about: 'Logins a second, from the start of the process until all counts are visible.',
    systems: ['login-stats', 'kafka-streams', 'flink', 'scan', 'kafkajs'],
    variants: noVariants,
    measure: (session, system, _, scale) =>
      measureBacklog(session, system, { ...counts, logins: scale.logins }),
  },
  {
    name: 'enriched',
    title: 'The same with one enriched record for each login',
    about:
      'As above; at the end every login must have one enriched record. Flink SQL has a fixed schema and is left out.',
    systems: ['login-stats', 'kafka-streams'],
    variants: noVariants,
    measure: (session, system, _, scale) =>
      measureBacklog(session, system, { ...counts, logins: scale.logins, enriched: true }),
  },
  ...(['snappy', 'zstd'] as const).map(
    (compression): Row => ({
      name: compression,
      title: `The counts with an input compressed by ${compression}`,
      about: 'As the first row; the batches of the input are compressed by the broker.',
      systems: ['login-stats', 'kafka-streams', 'flink', 'scan'],
      variants: noVariants,
      measure: (session, system, _, scale) =>
        measureBacklog(session, system, { ...counts, logins: scale.logins, compression }),
    }),
  ),
  {
    name: 'million-keys',
    title: 'One million distinct keys: DIMENSIONS=user_id, no rolling windows',
    about: 'Logins a second until all counts are visible; each user logs in twice.',
    systems: ['login-stats', 'kafka-streams', 'flink'],
    variants: noVariants,
    measure(session, system, _, scale) {
      const logins = share(scale, 0.4)
      const users = Math.min(largestKeys, Math.floor(logins / 2))
      return measureBacklog(session, system, { ...counts, ...byUser, logins: users * 2, users })
    },
  },
  {
    name: 'latency',
    title: 'Latency at 2,000 logins a second',
    about:
      'From just before a login is sent until its row is visible. One login in 20 has a locale of its own, and so a row of its own; warm-up is left out. Where writing a login takes long, the machine was too busy to measure.',
    systems: ['login-stats', 'kafka-streams', 'flink'],
    variants: noVariants,
    measure: (session, system, _, scale) => measureLatency(session, system, scale),
  },
  {
    name: 'hot-partition',
    title: 'A backlog in one partition of four, and 500 live logins a second in the others',
    about:
      'Logins a second are those of the backlog, from the start of the process until all of them are visible. Latencies are those of the live logins, one in five of which has a row of its own: from the first visible row to the end of the backlog, and after it. Commits are the transactions that the broker has of the group, of all threads together. The plot begins with the start of the process; each system has an axis of time of its own; each point is a quarter of a second, and its latencies are those of the logins sent in it.',
    systems: ['login-stats', 'kafka-streams'],
    variants: noVariants,
    measure: (session, system, _, scale) =>
      measureHotPartition(session, system, {
        logins: share(scale, 0.6),
        afterSeconds: scale.quick ? 3 : 10,
      }),
  },
  {
    name: 'restore',
    title: 'Restore of one million keys into an empty state directory',
    about:
      'From the beginning of the first restore to the end of the last one, as the logs say; beside it, from the start of the process until logins that came meanwhile are visible in every partition.',
    systems: ['login-stats', 'kafka-streams'],
    variants: noVariants,
    measure: (session, system, _, scale) =>
      measureRestore(session, system, Math.min(largestKeys, share(scale, 0.2))),
  },
  {
    name: 'start',
    title: 'First start to first commit',
    about: 'From the start of the process until the first row is visible; a small backlog is there.',
    systems: ['login-stats', 'kafka-streams', 'flink'],
    variants: noVariants,
    measure: (session, system) => measureStart(session, system),
  },
  {
    name: 'restart',
    title: 'Restart after kill -9 to the next commit',
    about:
      'Killed under load and started again at once; both are static members of their group. One login goes to each partition: the first row of these is the next commit.',
    systems: ['login-stats', 'kafka-streams'],
    variants: noVariants,
    measure: (session, system) => measureRestart(session, system),
  },
]

const growing: readonly Row[] = [
  {
    name: 'threads',
    axis: 'threads',
    title: 'Throughput over threads',
    about: 'STREAM_THREADS, num.stream.threads and parallelism; the counts of the first row.',
    systems: ['login-stats', 'kafka-streams', 'flink'],
    variants: () => ['1', '2'],
    measure: (session, system, variant, scale) =>
      measureBacklog(session, system, { ...fewerCounts(scale), threads: Number(variant) }),
  },
  {
    name: 'partitions',
    axis: 'partitions',
    title: 'Throughput over partitions',
    about:
      'The counts of the first row; input, table and internal topics have so many partitions. Beside the default, what a transaction for each task would cost.',
    systems: ['login-stats', 'login-stats-task', 'kafka-streams'],
    variants: (scale) => ends(scale, ['1', '4', '16', '64']),
    measure: (session, system, variant, scale) =>
      measureBacklog(session, system, { ...fewerCounts(scale), partitions: Number(variant) }),
  },
  {
    name: 'keys',
    axis: 'distinct keys',
    title: 'Throughput over keys',
    about: 'DIMENSIONS=user_id, no rolling windows, so many users.',
    systems: ['login-stats', 'kafka-streams'],
    variants: (scale) => ends(scale, ['10', '10000', '1000000']),
    measure(session, system, variant, scale) {
      const fewer = fewerCounts(scale)
      const users = Math.min(Number(variant), fewer.logins)
      return measureBacklog(session, system, { ...fewer, ...byUser, users })
    },
  },
  {
    name: 'windows',
    axis: 'rolling windows',
    title: 'Throughput over rolling windows',
    about: 'The counts of the first row with no window, the four of the default, and eight.',
    systems: ['login-stats'],
    variants: () => ['0', '4', '8'],
    measure(session, system, variant, scale) {
      const names: Readonly<Record<string, string>> = { 0: '', 8: '1m,5m,10m,30m,1h,6h,12h,24h' }
      const rollingWindows = names[variant] ?? null
      return measureBacklog(session, system, { ...fewerCounts(scale), rollingWindows })
    },
  },
  {
    name: 'instances',
    axis: 'instances',
    title: 'Throughput over instances',
    about: 'The counts of the first row by so many processes of one thread each, on the same machine.',
    systems: ['login-stats', 'kafka-streams'],
    variants: (scale) => ends(scale, ['1', '2', '4']),
    measure: (session, system, variant, scale) =>
      measureBacklog(session, system, {
        ...fewerCounts(scale),
        threads: 1,
        instances: Number(variant),
      }),
  },
  {
    name: 'restore-size',
    axis: 'keys in the store',
    title: 'Restore time over store size',
    about: 'As the restore of one million keys.',
    systems: ['login-stats', 'kafka-streams'],
    variants: (scale) => (scale.quick ? ['1000', '10000'] : ['10000', '100000', '1000000']),
    measure: (session, system, variant) => measureRestore(session, system, Number(variant)),
  },
]

export const rows: readonly Row[] = [...main, ...growing]
export const growingRows: ReadonlySet<string> = new Set(growing.map(({ name }) => name))

export type { Measured, Row, Scale } from './row.ts'
