/** What a watched table shows beside its rows: how fast it grows, how old it is, the tasks, and the dead letters. */
import { coded } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Session } from '../commands/session.ts'
import { DeadLetterCounts } from '../follow/dead-letter-counts.ts'
import { Rate } from '../follow/rate.ts'
import type { Tasks } from '../http/api-schemas.ts'
import { GroupTasks } from '../http/group-tasks.ts'
import type { KeyedRow, LoginStatsTable } from '../table/index.ts'
import { topologyOf } from '../topology.ts'
import { Sparklines } from './sparklines.ts'

const sparkWidth = 16
const sampleMs = 1000
const tasksEveryMs = 2000
const rateSpanMs = 10_000
/** Younger than this is as good as now. */
const ordinaryAgeMs = 2000

export class WatchStatus {
  readonly sparklines = new Sparklines(sparkWidth)
  readonly #clock: Clock
  readonly #table: LoginStatsTable
  readonly #rate = new Rate(rateSpanMs)
  readonly #deadLetters: DeadLetterCounts | null
  readonly #tasks: GroupTasks
  #told: Tasks | null = null
  #cancel = (): void => undefined
  #isClosed = false
  #sampledAt = Number.NEGATIVE_INFINITY

  constructor(clock: Clock, { config, kafka, log }: Session, table: LoginStatsTable) {
    this.#clock = clock
    this.#table = table
    const { dlqTopic } = config
    this.#deadLetters =
      dlqTopic === null ? null : new DeadLetterCounts({ kafka, clock, log, topic: dlqTopic })
    this.#tasks = new GroupTasks({
      ...{ admin: kafka.admin, clock, topology: topologyOf(config), instance: '' },
      status: () => [],
    })
    void this.#askForTasks(log)
  }

  /** Told of the rows that are shown, as often as they are drawn. */
  note(rows: readonly KeyedRow[]): void {
    const now = this.#clock.monotonic()
    if (now - this.#sampledAt < sampleMs) return
    this.#sampledAt = now
    this.sparklines.note(rows)
    const total = rows.find(({ key }) => key === 'total')
    if (total !== undefined) this.#rate.note(now, total.count)
  }

  get ratePerSecond(): number | null {
    return this.#rate.perSecond
  }

  get lines(): string[] {
    const parts = [this.#tasksInShort(), this.#deadLettersInShort(), this.#ageInShort()]
    const line = parts.filter((part) => part !== '').join('   ')
    return line === '' ? [] : [line]
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancel()
    await this.#deadLetters?.close()
  }

  #tasksInShort(): string {
    if (this.#told === null) return ''
    const { tasks, instances } = this.#told
    const lag = tasks.reduce((sum, { lag_records: behind }) => sum + (behind ?? 0), 0)
    const byState = Map.groupBy(tasks, ({ state }) => state)
    const states = [...byState].map(([state, each]) => `${each.length} ${state}`).join(', ')
    const where = `${instances.length} ${instances.length === 1 ? 'instance' : 'instances'}`
    return `tasks: ${states} on ${where}, lag ${lag.toLocaleString('en')}`
  }

  #deadLettersInShort(): string {
    const counts = this.#deadLetters
    return counts?.isComplete ? `dead letters: ${counts.count.toLocaleString('en')}` : ''
  }

  #ageInShort(): string {
    const { ageMs, isComplete } = this.#table
    if (!isComplete || ageMs === null) return 'being read anew'
    return ageMs < ordinaryAgeMs ? '' : `STALE: as of ${Math.round(ageMs / 1000)} s ago`
  }

  async #askForTasks(log: Session['log']): Promise<void> {
    try {
      this.#told = await this.#tasks.tasks()
    } catch (cause) {
      // A broker that is away, or missing rights: the table is shown without.
      log.debug({ error: coded(cause, 'ask for the tasks') }, 'The tasks cannot be asked for')
      this.#told = null
    }
    if (!this.#isClosed) this.#cancel = this.#clock.setTimer(tasksEveryMs, () => this.#askForTasks(log))
  }
}
