/**
 * Where each task is, how far it is behind, and how far restores are:
 *
 *   1. Kafka tells who has which task and which standby copies, and what has been committed: that holds for all, whoever answers.
 *   2. Each instance tells of its own tasks: their state, and how far a restore is. The others are asked over HTTP at the address that
 *      they have told the group. One that cannot be reached is marked; what Kafka tells of it stands all the same.
 */
import type { z } from 'zod'
import type { Clock } from '../../ports/clock.ts'
import type { KafkaAdmin, TopicPartition } from '../../ports/kafka.ts'
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

/** So long an answer serves all who ask. */
const freshMs = 1000
const askWithinMs = 1000
const mostReportBytes = 1 << 20

export class GroupTasks {
  readonly #options: GroupTasksOptions
  #last: { readonly at: number; readonly tasks: Promise<Tasks> } | null = null

  constructor(options: GroupTasksOptions) {
    this.#options = options
  }

  /** At most a second old, but for the time that asking takes. */
  async tasks(): Promise<Tasks> {
    const { clock } = this.#options
    if (this.#last === null || clock.monotonic() - this.#last.at > freshMs) {
      const at = clock.monotonic()
      const asked = { at, tasks: this.#ask() }
      this.#last = asked
      asked.tasks.catch(() => {
        // Whoever awaits it gets the failure; the next one shall ask again.
        if (this.#last === asked) this.#last = null
      })
    }
    const { at, tasks } = this.#last
    return { ...(await tasks), age_ms: Math.max(0, Math.round(clock.monotonic() - at)) }
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
    const members = viewMembers(topology, description)
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
      Array.from({ length: topics.get(topic)?.partitionCount ?? 0 }, (_, partition) => ({
        ...{ task: `${subtopology}_${partition}`, topic, partition },
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
      return { ...input, lag: Math.max(0, end - (committed[at] ?? starts[at] ?? 0)) }
    })
  }

  /** By instance: this one's, and those of the others that answer in time. */
  async #reports(members: readonly MemberView[]): Promise<ReadonlyMap<string, Report>> {
    const { instance } = this.#options
    const endpoints = new Map(members.map(({ processId, endpoint }) => [processId, endpoint]))
    const reports = await Promise.all(
      [...endpoints].map(async ([process, endpoint]) => {
        if (process === instance) return this.report()
        return process === null || endpoint === null ? null : await askInstance(endpoint, process)
      }),
    )
    return new Map(reports.flatMap((report) => (report === null ? [] : [[report.instance, report] as const])))
  }
}

interface Input extends TopicPartition {
  readonly task: string
  readonly lag: number
}

/** Null where it does not answer in time, or another instance answers at its address. */
async function askInstance(endpoint: string, instance: string): Promise<Report | null> {
  try {
    const answer = await fetch(`${endpoint}/api/instance`, {
      signal: AbortSignal.timeout(askWithinMs),
      redirect: 'error',
    })
    if (!answer.ok || Number(answer.headers.get('content-length') ?? 0) > mostReportBytes) return null
    const report = instanceReportSchema.safeParse(await answer.json())
    return report.success && report.data.instance === instance ? report.data : null
  } catch {
    // Whatever the reason: the answer says that the instance could not be reached.
    return null
  }
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
  const owner = instances.find(({ tasks }) => tasks.includes(task))?.instance ?? null
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
