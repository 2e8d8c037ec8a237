/**
 * Where each task is, how far it is behind, and how far restores are:
 *
 *   1. Kafka tells who has which task and which standby copies, and what has been committed: that holds for all, whoever answers.
 *   2. Each instance tells of its own tasks: their state, and how far a restore is. The others are asked over HTTP at the address that
 *      they have told the group. One that cannot be reached is marked; what Kafka tells of it stands all the same.
 */
import type { z } from 'zod'
import { CodedError, coded } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import { type KafkaAdmin, partitionsOf, type TopicPartition } from '../../ports/kafka.ts'
import { type MemberView, type TaskStatus, type Topology, viewMembers } from '../../streams/index.ts'
import { type Instance, instanceReportSchema, type Restore, type Task, type Tasks } from './api-schemas.ts'

export interface GroupTasksOptions {
  readonly admin: KafkaAdmin
  readonly clock: Clock
  readonly topology: Topology
  /** This instance. */
  readonly instance: string
  status(): readonly TaskStatus[]
}

type Report = z.infer<typeof instanceReportSchema>

/** States in which Kafka knows the members alone, and not what they have. */
const rebalancing: ReadonlySet<string> = new Set(['PreparingRebalance', 'CompletingRebalance'])
/** Kafka may take long to answer; an older answer is better than none. */
const answerWithinMs = 2000
/** So long an answer serves all who ask. */
const freshMs = 1000
const askWithinMs = 1000
const mostReportBytes = 1 << 20

export class GroupTasks {
  readonly #options: GroupTasksOptions
  #last: { readonly at: number; readonly tasks: Tasks } | null = null
  #asking: Promise<CodedError | null> | null = null
  #askingLags: Promise<ReadonlyMap<string, number>> | null = null
  /** As they were when the group was last stable: in a rebalance Kafka does not tell who has what, and most tasks run on. */
  #members: readonly MemberView[] = []

  constructor(options: GroupTasksOptions) {
    this.#options = options
  }

  /**
   * At most a second old where Kafka answers at once; else the last answer that there was, and how old it is. Throws what keeps Kafka from
   * answering, or KAFKA_UNREACHABLE where it takes long, if there was none yet.
   */
  async tasks(): Promise<Tasks> {
    const { clock } = this.#options
    const last = this.#last
    if (last === null || clock.monotonic() - last.at > freshMs) {
      this.#asking ??= this.#askOnce()
      const asked = this.#asking
      const answered = await Promise.race([asked, clock.sleep(answerWithinMs)])
      if (last === null && answered instanceof CodedError) throw answered
    }
    const told = this.#last
    if (told === null) {
      const detail = `Kafka has not answered within ${answerWithinMs} ms.`
      throw new CodedError('KAFKA_UNREACHABLE', { operation: 'ask for the tasks', detail })
    }
    const { at, tasks } = told
    return { ...tasks, age_ms: Math.max(0, Math.round(clock.monotonic() - at)) }
  }

  /** Never rejects: resolves with what went wrong. */
  async #askOnce(): Promise<CodedError | null> {
    const at = this.#options.clock.monotonic()
    try {
      this.#last = { at, tasks: await this.#ask() }
      return null
    } catch (cause) {
      return coded(cause, 'ask for the tasks')
    } finally {
      this.#asking = null
    }
  }

  /** By task, how many records of its input the group has not committed. Throws what keeps Kafka from telling. */
  lags(): Promise<ReadonlyMap<string, number>> {
    this.#askingLags ??= this.#askLags()
    return this.#askingLags
  }

  async #askLags(): Promise<ReadonlyMap<string, number>> {
    try {
      return new Map((await this.#inputs()).map(({ task, lag }) => [task, lag]))
    } finally {
      this.#askingLags = null
    }
  }

  /** What this instance tells the others of itself. */
  report(): Report {
    const { instance, status } = this.#options
    return {
      instance,
      tasks: status().map(({ task, state, lag, restore }) => ({
        ...{ task, state, lag_records: lag },
        restore: restore === null ? null : restoreOf(restore),
      })),
    }
  }

  async #ask(): Promise<Tasks> {
    const { admin, topology } = this.#options
    const group = topology.applicationId
    const description = await admin.describeGroup(group)
    if (!rebalancing.has(description.state)) this.#members = viewMembers(topology, description)
    const members = this.#members
    const [inputs, reports] = await Promise.all([this.#inputs(), this.#reports(members)])
    const instances = instancesOf(members, reports, this.#options.instance)
    return {
      age_ms: 0,
      group,
      group_state: description.state,
      instances,
      tasks: inputs.map((input) => taskOf(input, instances, reports)),
    }
  }

  /** The input of each task, with how far the group has committed it and where it ends. */
  async #inputs(): Promise<Input[]> {
    const { admin, topology } = this.#options
    const sources = topology.subtopologies.flatMap(({ id, sources: nodes }) =>
      nodes.map(({ topic }) => ({ subtopology: id, topic })),
    )
    const topics = await admin.topics(sources.map(({ topic }) => topic))
    const inputs = sources.flatMap(({ subtopology, topic }) =>
      partitionsOf(topic, topics.get(topic)?.partitionCount ?? 0).map((partition) => ({
        ...{ task: `${subtopology}_${partition.partition}`, ...partition },
      })),
    )
    const partitions: TopicPartition[] = inputs.map(({ topic, partition }) => ({ topic, partition }))
    const [committed, starts, ends] = await Promise.all([
      admin.groupOffsets(topology.applicationId, partitions),
      admin.listOffsets(partitions, 'earliest'),
      admin.listOffsets(partitions, 'lastStable'),
    ])
    return inputs.map((input, at) => {
      const end = ends[at] ?? 0
      return { ...input, lag: Math.max(0, end - (committed[at]?.offset ?? starts[at] ?? 0)) }
    })
  }

  /** By instance: this one's, and those of the others that answer in time. */
  async #reports(members: readonly MemberView[]): Promise<ReadonlyMap<string, Report>> {
    const { instance } = this.#options
    const endpoints = new Map(members.map(({ processId, endpoint }) => [processId, endpoint]))
    const reports = await Promise.all(
      [...endpoints].map(async ([process, endpoint]) => {
        const isAnother = process !== null && process !== instance
        return isAnother && endpoint !== null ? await askInstance(endpoint, process) : null
      }),
    )
    const known = [...reports.filter((report) => report !== null), this.report()]
    return new Map(known.map((report) => [report.instance, report]))
  }
}

interface Input extends TopicPartition {
  readonly task: string
  readonly lag: number
}

/** Null where it does not answer in time, or another instance answers at its address. */
async function askInstance(endpoint: string, instance: string): Promise<Report | null> {
  try {
    const answer = await fetch(new URL('/api/instance', endpoint), {
      signal: AbortSignal.timeout(askWithinMs),
      redirect: 'error',
    })
    const text = answer.ok ? await limitedText(answer) : null
    if (text === null) {
      await answer.body?.cancel()
      return null
    }
    const report = instanceReportSchema.safeParse(JSON.parse(text))
    return report.success && report.data.instance === instance ? report.data : null
  } catch {
    // Whatever the reason: the answer says that the instance could not be reached.
    return null
  }
}

/** Null where it is longer than an instance would ever tell. */
async function limitedText(answer: Response): Promise<string | null> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of answer.body ?? []) {
    size += chunk.length
    if (size > mostReportBytes) return null
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

/** One for each process; its members are its threads. */
function instancesOf(
  members: readonly MemberView[],
  reports: ReadonlyMap<string, Report>,
  thisInstance: string,
): Instance[] {
  const byProcess = Map.groupBy(members, ({ processId, memberId }) => processId ?? memberId)
  return [...byProcess].map(([instance, threads]) => ({
    instance,
    host: threads[0]?.clientHost.replace(/^\//, '') ?? '',
    endpoint: threads[0]?.endpoint ?? null,
    is_reachable: reports.has(instance),
    is_this: instance === thisInstance,
    tasks: threads.flatMap(({ activeTasks }) => activeTasks).sort(byNumbers.compare),
    standby_tasks: threads.flatMap(({ standbyTasks }) => standbyTasks).sort(byNumbers.compare),
  }))
}

const byNumbers = new Intl.Collator('en', { numeric: true })

function taskOf(input: Input, instances: readonly Instance[], reports: ReadonlyMap<string, Report>): Task {
  const { task, topic, partition, lag } = input
  const assigned = instances.find(({ tasks }) => tasks.includes(task))?.instance
  const owner = assigned ?? instanceThatRuns(task, reports)
  const told = owner === null ? undefined : reports.get(owner)?.tasks.find((each) => each.task === task)
  const standbys = instances.filter(({ standby_tasks }) => standby_tasks.includes(task))
  return {
    ...{ task, topic, partition, instance: owner },
    state: owner === null ? 'unassigned' : (told?.state ?? 'unknown'),
    lag_records: lag,
    restore: told?.restore ?? null,
    standbys: standbys.map(({ instance }) => ({
      instance,
      lag_records:
        reports.get(instance)?.tasks.find((each) => each.task === task && each.state === 'standby')
          ?.lag_records ?? null,
    })),
  }
}

function restoreOf({ position, end, remainingSeconds }: NonNullable<TaskStatus['restore']>): Restore {
  return {
    position,
    end,
    remaining_records: Math.max(0, end - position),
    remaining_seconds: remainingSeconds,
  }
}

/** Where Kafka does not tell who has it: an instance that says that it runs it. */
function instanceThatRuns(task: string, reports: ReadonlyMap<string, Report>): string | null {
  for (const { instance, tasks } of reports.values()) {
    if (tasks.some((each) => each.task === task && each.state !== 'standby')) return instance
  }
  return null
}
