/** What a watched table shows beside its rows: how fast it grows, how old it is, the tasks, and the dead letters. */
import { coded } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { KafkaClient } from '../../ports/kafka.ts'
import type { Log } from '../../ports/log.ts'
import type { Config } from '../config/index.ts'
import { TOTAL_KEY } from '../domain/dimensions.ts'
import { DeadLetterCounts } from '../follow/dead-letter-counts.ts'
import { Rate } from '../follow/rate.ts'
import { counted, number } from '../format.ts'
import type { Tasks } from '../http/api-schemas.ts'
import { GroupTasks } from '../http/group-tasks.ts'
import type { KeyedRow, LoginStatsTable } from '../table/index.ts'
import { topologyOf } from '../topology.ts'
import { Sparklines } from './sparklines.ts'

const sparkWidth = 16
const tasksEveryMs = 2000
const rateSpanMs = 10_000
/** Younger than this is as good as now. */
const ordinaryAgeMs = 2000
/** Asked for every two seconds: what is older says nothing of now. */
const tasksStaleMs = 10_000

/** What is watched, and by which client. */
export interface Watched {
  readonly config: Config
  readonly kafka: KafkaClient
  readonly log: Log
}

export class WatchStatus {
  readonly sparklines = new Sparklines(sparkWidth)
  readonly #clock: Clock
  readonly #table: LoginStatsTable
  readonly #rate = new Rate(rateSpanMs)
  readonly #deadLetters: DeadLetterCounts | null
  readonly #tasks: GroupTasks
  readonly #inputTopic: string
  #told: { readonly tasks: Tasks; readonly at: number } | null = null
  #cancel = (): void => undefined
  #isClosed = false

  constructor(clock: Clock, { config, kafka, log }: Watched, table: LoginStatsTable) {
    this.#clock = clock
    this.#table = table
    const { dlqTopic, inputTopic } = config
    this.#inputTopic = inputTopic
    this.#deadLetters =
      dlqTopic === null ? null : new DeadLetterCounts({ kafka, clock, log, topic: dlqTopic })
    this.#tasks = new GroupTasks({
      ...{ admin: kafka.admin, clock, topology: topologyOf(config), instance: '' },
      status: () => [],
    })
    void this.#askForTasks(log)
  }

  /** Told of the rows that are drawn, with the moment of which the table was before they were read; null: it is being read anew. */
  note(rows: readonly KeyedRow[], currentAt: number | null): void {
    if (currentAt === null) return
    this.sparklines.note(rows, currentAt)
    const total = rows.find(({ key }) => key === TOTAL_KEY)
    if (total !== undefined) this.#rate.note(currentAt, total.count)
  }

  get ratePerSecond(): number | null {
    return this.#rate.perSecond
  }

  /** What is wrong comes first. */
  get parts(): string[] {
    return [this.#ageInShort(), this.#tasksInShort(), this.#deadLettersInShort()].filter(
      (part) => part !== '',
    )
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancel()
    await this.#deadLetters?.close()
  }

  #tasksInShort(): string {
    if (this.#told === null || this.#clock.monotonic() - this.#told.at >= tasksStaleMs) return ''
    const { tasks, instances } = this.#told.tasks
    // Of the logins alone: what lies between the tasks are partial counts.
    const reading = tasks.filter(({ topic }) => topic === this.#inputTopic)
    const lag = reading.reduce((sum, { lag_records: behind }) => sum + (behind ?? 0), 0)
    const byState = Map.groupBy(tasks, ({ state }) => state)
    const states = [...byState].map(([state, each]) => `${each.length} ${state}`).join(', ')
    const where = counted(instances.length, 'instance')
    return `tasks: ${states} on ${where}, input lag ${number(lag)}`
  }

  #deadLettersInShort(): string {
    const counts = this.#deadLetters
    return counts?.isComplete ? `dead letters: ${number(counts.count)}` : ''
  }

  #ageInShort(): string {
    const { ageMs, isComplete } = this.#table
    if (!isComplete || ageMs === null) return 'being read anew'
    return ageMs < ordinaryAgeMs ? '' : `STALE: as of ${Math.round(ageMs / 1000)} s ago`
  }

  async #askForTasks(log: Log): Promise<void> {
    try {
      const tasks = await this.#tasks.tasks()
      this.#told = { tasks, at: this.#clock.monotonic() - tasks.age_ms }
    } catch (cause) {
      // A broker that is away, or missing rights: the table is shown without.
      log.debug({ error: coded(cause, 'ask for the tasks') }, 'The tasks cannot be asked for')
      this.#told = null
    }
    if (!this.#isClosed) this.#cancel = this.#clock.setTimer(tasksEveryMs, () => this.#askForTasks(log))
  }
}
