import { type CodedError, coded } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { DatabaseOpener } from '../../ports/database.ts'
import type { GroupMember, KafkaClient } from '../../ports/kafka.ts'
import type { Log } from '../../ports/log.ts'
import { ChangelogSurvey } from '../changelog/changelog-survey.ts'
import { allTasks, assignTasks, sourcePartitions } from '../rebalance/assignor.ts'
import { encodeMemberMetadata } from '../rebalance/member-metadata.ts'
import { defaultPlanSettings } from '../rebalance/plan-types.ts'
import { CacheBudget } from '../store/cache-budget.ts'
import type { TaskEnvironment, TaskSettings } from '../task/task-environment.ts'
import { sourceTopics, type Topology } from '../topology/topology.ts'
import type { TransactionsOptions } from '../transactions/fenced-producer.ts'
import type { Transactions } from '../transactions/transactions.ts'
import { TransactionsOfTasks } from '../transactions/transactions-of-tasks.ts'
import { TransactionsOfThread } from '../transactions/transactions-of-thread.ts'
import { type EngineObserver, observers } from './engine-observer.ts'
import type { Fingerprint } from './fingerprint.ts'
import { assertPartialsWritten } from './partials-check.ts'
import { purgeRepartitionTopics } from './repartition-purge.ts'
import { RestoreWatch } from './restore-watch.ts'
import { StreamThread } from './stream-thread.ts'
import { standbyStatus, statusOf, type TaskStatus } from './task-status.ts'
import type { TopicCatalog } from './topic-catalog.ts'
import { knownTopics, setUpTopics, type TopicSettings, topicNames } from './topic-setup.ts'

/** How often metadata is looked at for new partitions and recreated topics. */
const metadataIntervalMs = 10_000
/** How often what has been read of repartition topics is deleted, unless the options say otherwise. */
const purgeIntervalMs = 30_000
const watchIntervalMs = 1000
const prepareAgainMs = 1000
/** Members have so long to commit and rejoin when a rebalance begins. */
const rebalanceTimeoutMs = 60_000
/** Stores that are restored at once for tasks that wait to move to them: the more, the fewer rebalances it takes. */
const maxWarmups = 8

/** Where the state of this process lives; see `state-directory.ts`. */
export interface LocalState {
  readonly instanceId: string
  /** The same for all that share the directory. */
  readonly processId: string
  taskDirectory(taskId: string): string
  tasksOnDisk(): Promise<string[]>
}

export interface StreamsOptions {
  readonly topology: Topology
  /** The application's settings that shape the state; those of the engine are added. */
  readonly fingerprint: Fingerprint
  readonly topics: TopicSettings
  readonly tasks: TaskSettings
  readonly sessionTimeoutMs: number
  readonly leaveGroupOnStop: boolean
  /** Copies of each store that are kept warm on other processes. */
  readonly standbyReplicas: number
  /** A store that is at most so many changelog records behind is warm: its task can move there; 10,000 if absent. */
  readonly acceptableLag?: number
  readonly maxStallMs: number
  /** How often what has been read of repartition topics is deleted; 30 s if absent. */
  readonly purgeIntervalMs?: number
  readonly kafka: KafkaClient
  readonly clock: Clock
  readonly log: Log
  readonly databases: DatabaseOpener
  readonly bootId: string
  readonly localState: LocalState
  /** Where this process answers the application's questions, told to the group; null or absent: nowhere. */
  readonly endpoint?: string | null
  readonly observer?: EngineObserver
}

/** Which committed entries of the stores of running tasks are asked for: those with gte <= key < lt, at most `limit` of each store. */
export interface StoreQuery {
  readonly gte: Buffer
  readonly lt: Buffer
  readonly limit: number
}

/**
 * A running application: checks the topics and the state, joins the group, and runs until `stop` or until it meets
 * something it cannot survive.
 */
export class Streams {
  readonly #options: StreamsOptions
  readonly #log: Log
  readonly #restores: RestoreWatch
  #thread: StreamThread | null = null
  #catalog: TopicCatalog | null = null
  #isStopping = false
  readonly #stopped = Promise.withResolvers<undefined>()

  constructor(options: StreamsOptions) {
    this.#restores = new RestoreWatch(options.clock)
    this.#options = { ...options, observer: observers([options.observer ?? {}, this.#restores]) }
    this.#log = options.log
  }

  /**
   * Runs the application. Resolves after `stop`, when everything is committed and closed; rejects with the CodedError that
   * ended it. Waits for Kafka if it is not there yet.
   */
  async run(): Promise<void> {
    const environment = await Promise.race([this.#prepare(), this.#stopped.promise])
    if (environment === undefined || this.#isStopping) return
    const thread = new StreamThread(environment, this.#options)
    this.#thread = thread
    const failures: CodedError[] = []
    const stalled = Promise.withResolvers<never>()
    const endWatches = this.#startWatches(environment, thread, (error) => {
      failures.push(error)
      thread.stop()
      // What does not move any more cannot be waited for: the tasks are given up as they are.
      if (error.code === 'STALLED') void this.#leave(environment).then(() => stalled.reject(error))
    })
    try {
      await Promise.race([thread.run(), stalled.promise])
    } finally {
      endWatches()
    }
    if (failures[0] !== undefined) throw failures[0]
  }

  async #leave({ member }: TaskEnvironment): Promise<void> {
    try {
      await member.close(true)
    } catch (error) {
      // Then the group finds out by the session time-out.
      this.#log.warn({ error }, 'The group could not be left')
    }
  }

  /** As `prepareOnce`, again and again while Kafka has passing troubles. */
  async #prepare(): Promise<TaskEnvironment | undefined> {
    const { clock } = this.#options
    while (!this.#isStopping) {
      try {
        return await this.#prepareOnce()
      } catch (cause) {
        const error = coded(cause, 'prepare')
        if (error.behaviour !== 'retry' && error.behaviour !== 'abort') throw error
        this.#log.warn({ code: error.code }, error.message)
      }
      await clock.sleep(prepareAgainMs)
    }
    return undefined
  }

  /** Waits for Kafka, and checks topics and state before anybody else is disturbed. */
  async #prepareOnce(): Promise<TaskEnvironment> {
    const { kafka, topology, topics, fingerprint, clock } = this.#options
    const clusterId = await kafka.admin.clusterId((cause, waitedMs) =>
      this.#log.warn(
        { waitedMs: Math.round(waitedMs), cause: cause.message },
        'Kafka cannot be reached; waiting',
      ),
    )
    const catalog = await setUpTopics(kafka.admin, clock, topology, topics)
    this.#catalog = catalog
    const complete = this.#completeFingerprint(fingerprint, catalog)
    const survey = new ChangelogSurvey(kafka, clock, topology)
    await survey.refresh(catalog)
    survey.assertFits(complete, catalog)
    await assertPartialsWritten(kafka.admin, topology, catalog)
    return this.#environment({ clusterId, catalog, survey, fingerprint: complete })
  }

  /** Stops intake, commits, leaves the group if so configured, closes the stores; `run` then resolves. */
  stop(): void {
    this.#isStopping = true
    this.#stopped.resolve(undefined)
    this.#thread?.stop()
  }

  status(): TaskStatus[] {
    const now = this.#options.clock.now()
    const tasks = this.#thread?.tasks ?? []
    const standbys = Object.entries(this.#thread?.standbyLags ?? {})
    return [
      ...tasks.map((task) => statusOf(task, this.#restores.of(task.id), now)),
      ...standbys.map(([task, lag]) => standbyStatus(task, lag)),
    ]
  }

  /** Whether the group has given this member its tasks, be it none, and no rebalance is under way here. */
  get isAssigned(): boolean {
    return this.#thread?.isAssigned ?? false
  }

  /**
   * Committed entries of the stores of all tasks that run here, in chunks: what has been committed, and nothing else. A task that goes
   * meanwhile ends early.
   */
  async *query(query: StoreQuery): AsyncGenerator<{ task: string; entries: [Buffer, Buffer][] }> {
    for (const task of this.#thread?.tasks ?? []) {
      const store = task.committedStore
      if (store === null) continue
      try {
        for await (const entries of store.committedChunks(query)) yield { task: task.id, entries }
      } catch (error) {
        // The store of a task that is given up is closed under the reader.
        if (task.committedStore === store) throw error
      }
    }
  }

  /** Of the whole application, as far as the topics are known; null before. */
  get taskCount(): number | null {
    return this.#catalog === null ? null : allTasks(this.#options.topology, this.#catalog).length
  }

  /** The engine's own settings that shape the state. */
  #completeFingerprint(fingerprint: Fingerprint, catalog: TopicCatalog): Fingerprint {
    const stores = this.#options.topology.subtopologies.flatMap(({ store }) =>
      store === null ? [] : [store],
    )
    const counts = stores.map(({ changelogTopic }) => catalog.partitionCount(changelogTopic))
    return { ...fingerprint, STATS_PARTITIONS: String(Math.max(0, ...counts)) }
  }

  #environment(parts: {
    clusterId: string
    catalog: TopicCatalog
    survey: ChangelogSurvey
    fingerprint: Fingerprint
  }): TaskEnvironment {
    const { topology, kafka, clock, log, databases, bootId, maxStallMs, localState, tasks, observer } =
      this.#options
    const { clusterId, catalog, survey, fingerprint } = parts
    const member = this.#joinableMember(catalog, fingerprint)
    return {
      topology,
      kafka,
      member,
      inputs: kafka.fetcher(),
      transactions: this.#transactions(member),
      clock,
      log,
      databases,
      cacheBudget: new CacheBudget(),
      bootId,
      maxStallMs,
      clusterId,
      catalog,
      fingerprint,
      settings: tasks,
      observer: observer ?? {},
      refreshTopics: () => this.#refreshTopics(catalog),
      storeDirectory: (taskId) => localState.taskDirectory(taskId),
      countedBefore: async (input, { isSure }) => {
        if (!isSure) return survey.counted(input)
        await survey.refresh(catalog)
        survey.assertFits(fingerprint, catalog)
        return survey.counted(input) ?? (await survey.waiting(input))
      },
    }
  }

  #transactions(member: GroupMember): Transactions {
    const { kafka, clock, topology, tasks, localState, observer } = this.#options
    const { transactionTimeoutMs, transactionScope } = tasks
    const { applicationId } = topology
    const options: TransactionsOptions = {
      ...{ kafka, member, transactionTimeoutMs },
      ended: (outcome) => observer?.transactionEnded?.(outcome),
    }
    if (transactionScope === 'task') return new TransactionsOfTasks(options, { clock, applicationId })
    const transactionalId = `${applicationId}-thread-${localState.instanceId}`
    return new TransactionsOfThread(options, { clock, transactionalId })
  }

  #joinableMember(catalog: TopicCatalog, fingerprint: Fingerprint): GroupMember {
    const { kafka, topology, sessionTimeoutMs, localState, standbyReplicas } = this.#options
    const { acceptableLag = defaultPlanSettings.acceptableLag } = this.#options
    const sources = sourceTopics(topology)
    return kafka.member({
      groupId: topology.applicationId,
      instanceId: localState.instanceId,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      protocol: 'login-stats-sticky',
      topics: sources,
      userData: async () =>
        encodeMemberMetadata(
          {
            fingerprint,
            ownedTasks: this.#thread?.taskIds ?? [],
            storedTasks: await localState.tasksOnDisk(),
            partitions: sourcePartitions(topology, catalog),
            processId: localState.processId,
            endpoint: this.#options.endpoint ?? null,
            ...this.#standbys(),
          },
          this.#thread?.plansAsked,
        ),
      assign: async (members) => {
        await this.#refreshTopics(catalog)
        return assignTasks(topology, catalog, members, { standbyReplicas, acceptableLag, maxWarmups })
      },
    })
  }

  /** What is said of them to the group. */
  #standbys(): { standbyTasks: string[]; storeLags: Record<string, number> } {
    const standbyTasks: string[] = []
    const storeLags: Record<string, number> = {}
    for (const [task, lag] of Object.entries(this.#thread?.standbyLags ?? {})) {
      standbyTasks.push(task)
      if (lag !== null) storeLags[task] = lag
    }
    return { standbyTasks, storeLags }
  }

  /** Whether a topic has got more partitions; topics that follow the input grow with it. */
  async #refreshTopics(catalog: TopicCatalog): Promise<boolean> {
    const { kafka, clock, topology, topics } = this.#options
    if (!catalog.hasGrown(await knownTopics(kafka.admin, clock, topicNames(topology)))) return false
    catalog.adopt(await setUpTopics(kafka.admin, clock, topology, topics))
    return true
  }

  /** What goes on beside the thread. Returns how to end it. */
  #startWatches(
    environment: TaskEnvironment,
    thread: StreamThread,
    onFailure: (error: CodedError) => void,
  ): () => void {
    const { maxStallMs } = this.#options
    const watches = [
      this.#every(metadataIntervalMs, 'refresh metadata', onFailure, async () => {
        if (await this.#refreshTopics(environment.catalog))
          environment.member.requestRejoin('partitions were added')
      }),
      this.#every(
        this.#options.purgeIntervalMs ?? purgeIntervalMs,
        'purge repartition topics',
        onFailure,
        () => purgeRepartitionTopics(environment, thread.tasks),
      ),
      this.#every(watchIntervalMs, 'watch progress', onFailure, async () =>
        thread.assertProgress(maxStallMs),
      ),
    ]
    return () => {
      for (const end of watches) end()
    }
  }

  /** Runs `work` again and again, `intervalMs` after it last ended. Passing failures are logged, others reported once. */
  #every(
    intervalMs: number,
    operation: string,
    onFailure: (error: CodedError) => void,
    work: () => Promise<void>,
  ): () => void {
    const { clock } = this.#options
    let cancel = (): void => {}
    let isEnded = false
    const again = async (): Promise<void> => {
      try {
        await work()
      } catch (cause) {
        const error = coded(cause, operation)
        if (error.behaviour === 'stop') onFailure(error)
        else this.#log.warn({ code: error.code }, error.message)
      }
      if (!isEnded) cancel = clock.setTimer(intervalMs, again)
    }
    cancel = clock.setTimer(intervalMs, again)
    return () => {
      isEnded = true
      cancel()
    }
  }
}
