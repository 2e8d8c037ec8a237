import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { systemClock } from '../../src/system/clock.ts'

/** One JSON line of the log of an instance. */
export interface LogLine {
  readonly level: string | number
  readonly msg: string
  readonly time: number
  readonly [field: string]: unknown
}

const entry = join(import.meta.dirname, 'run-processor.ts')
const plant = join(import.meta.dirname, '..', 'mutants', 'plant.ts')

const running = new Set<Instance>()

/** A processor in a process of its own. MUTANT in its environment names the fault that is planted in it. */
export class Instance {
  readonly log: LogLine[] = []
  /** Lines that are no JSON: what the process says on its way down. */
  readonly noise: string[] = []
  readonly exited: Promise<number | null>
  /** In ms since the epoch, as the times of its log. */
  readonly startedAt = systemClock.now()
  readonly #child: ChildProcess
  readonly #watchers = new Set<() => void>()

  constructor(environment: Readonly<Record<string, string>>) {
    const planting = environment.MUTANT === undefined ? [] : ['--import', plant]
    this.#child = spawn(process.execPath, [...planting, entry], {
      env: { PATH: process.env.PATH, LOG_LEVEL: 'debug', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', (line) => this.#read(line))
    }
    this.exited = once(this.#child, 'close').then(([code]) => {
      running.delete(this)
      this.#notify()
      return code as number | null
    })
    running.add(this)
  }

  get isRunning(): boolean {
    return running.has(this)
  }

  get pid(): number {
    return this.#child.pid ?? -1
  }

  #read(line: string): void {
    try {
      this.log.push(JSON.parse(line) as LogLine)
    } catch {
      this.noise.push(line)
    }
    this.#notify()
  }

  #notify(): void {
    for (const watcher of this.#watchers) watcher()
  }

  /** The first log line that `matches`, now or later. Rejects if the process ends first, or after `timeoutMs`. */
  async line(what: string, matches: (line: LogLine) => boolean, timeoutMs = 60_000): Promise<LogLine> {
    const find = (): LogLine | undefined => this.log.find(matches)
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const found = find()
        if (found !== undefined) end(() => resolve(found))
        else if (!running.has(this)) end(() => reject(new Error(`ended before: ${what}\n${this.tail()}`)))
      }
      const timer = setTimeout(
        () => end(() => reject(new Error(`did not come in time: ${what}\n${this.tail()}`))),
        timeoutMs,
      )
      const end = (settle: () => void): void => {
        clearTimeout(timer)
        this.#watchers.delete(check)
        settle()
      }
      this.#watchers.add(check)
      check()
    })
  }

  /** Log lines with this message. */
  lines(message: string): LogLine[] {
    return this.log.filter(({ msg }) => msg === message)
  }

  /** The tasks of the last assignment of each of its threads; none before the first. */
  get tasks(): readonly string[] {
    return this.#lastAssigned('assigned')
  }

  /** The standby tasks of the same assignments. */
  get standbyTasks(): readonly string[] {
    return this.#lastAssigned('standbyTasks')
  }

  #lastAssigned(field: 'assigned' | 'standbyTasks'): readonly string[] {
    const byThread = new Map(this.lines('Tasks assigned').map((line) => [line.thread, line[field] ?? []]))
    return [...byThread.values()].flat() as string[]
  }

  /** What each task was told last, of those that it has had. */
  get taskStates(): ReadonlyMap<unknown, unknown> {
    return new Map(this.lines('Task changed').map(({ task, state }) => [task, state]))
  }

  /** By thread, the generation of the group in which it has its tasks; null while it joins, or shall. */
  get generations(): ReadonlyMap<unknown, unknown> {
    const joined = new Map<unknown, unknown>()
    const settled = new Map<unknown, unknown>()
    for (const { msg, thread, generationId } of this.log) {
      if (msg === 'joined the group') joined.set(thread, generationId)
      if (msg === 'joined the group' || msg === 'rejoin needed') settled.set(thread, null)
      if (msg === 'Tasks assigned') settled.set(thread, joined.get(thread) ?? null)
    }
    return settled
  }

  /** Resolves at the first log line that `matches`, with the milliseconds from the start of the process to there. */
  async afterMs(what: string, matches: (line: LogLine) => boolean, timeoutMs?: number): Promise<number> {
    const { time } = await this.line(what, matches, timeoutMs)
    return time - this.startedAt
  }

  tail(): string {
    return [...this.log.slice(-15).map((line) => JSON.stringify(line)), ...this.noise.slice(-15)].join('\n')
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.exited
  }

  /** SIGTERM; resolves with the exit code. */
  async stop(): Promise<number | null> {
    // Before that it does not listen to signals, and would die of it.
    await this.line('it starts', ({ msg }) => msg === 'Starting')
    this.signal('SIGTERM')
    return this.exited
  }
}

/** For `afterEach`: leaves no process behind. */
export async function killAllInstances(): Promise<void> {
  await Promise.all([...running].map((instance) => instance.kill()))
}

/** The stores that an instance has wiped: task and reason. */
export function wipes(instance: Instance): { task: unknown; reason: unknown }[] {
  return instance
    .lines('The local store is wiped; it will be restored from the changelog')
    .map(({ task, reason }) => ({ task, reason }))
}

/** Resolves when each of the instances has tasks, and all of them together `taskCount`. */
export async function haveTasks(
  instances: readonly Instance[],
  taskCount: number,
  timeoutMs = 60_000,
): Promise<void> {
  await areSo(instances, timeoutMs, () => {
    const counts = instances.map(({ tasks }) => tasks.length)
    const isShared = Math.min(...counts) > 0 && sum(counts) === taskCount
    return isShared ? null : `the tasks are not shared: ${counts.join()}`
  })
}

/** So long no thread was asked to join once more, where they have settled. */
const quietMs = 1000

/**
 * Resolves when the instances share `taskCount` tasks and nothing is on its way: each task runs, none waits for its store to become warm
 * elsewhere, each store has its `standbyReplicas`, and all threads have what the same generation of the group gave them. Before that a
 * fault hits a store on its way, or a rebalance, and is another one than the test is about. The instances have equally many threads.
 */
export async function haveSettled(
  instances: readonly Instance[],
  taskCount: number,
  { standbyReplicas = 0, timeoutMs = 60_000 } = {},
): Promise<void> {
  const copiesOfEach = Math.min(standbyReplicas, instances.length - 1)
  await haveTasks(instances, taskCount, timeoutMs)
  await areSo(instances, timeoutMs, () => {
    const tasks = instances.flatMap((instance) => instance.tasks)
    const notRunning = instances.flatMap(({ tasks: own, taskStates }) =>
      own.filter((task) => taskStates.get(task) !== 'running'),
    )
    const stores = instances.map((instance) => instance.tasks.filter(hasStore).length)
    const copies = sum(instances.map(({ standbyTasks }) => standbyTasks.length))
    const generations = new Set(instances.flatMap((instance) => [...instance.generations.values()]))
    const lastAt = Math.max(
      ...instances.flatMap(({ log }) =>
        log.filter(({ msg }) => msg === 'Tasks assigned' || msg === 'rejoin needed').map(({ time }) => time),
      ),
    )
    const hasSettled =
      tasks.length === taskCount &&
      notRunning.length === 0 &&
      Math.max(...stores) - Math.min(...stores) <= 1 &&
      copies === copiesOfEach * sum(stores) &&
      generations.size === 1 &&
      !generations.has(null) &&
      systemClock.now() - lastAt > quietMs
    if (hasSettled) return null
    const state = { tasks: tasks.length, notRunning, stores, copies, generations: [...generations] }
    return `the tasks have not settled: ${JSON.stringify(state)}`
  })
}

/** Tasks of the counting stage. */
function hasStore(task: string): boolean {
  return task.startsWith('1_')
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}

/** Waits until `whyNot` gives null. Throws what it says where that takes too long, and where an instance ends. */
async function areSo(
  instances: readonly Instance[],
  timeoutMs: number,
  whyNot: () => string | null,
): Promise<void> {
  const deadline = systemClock.monotonic() + timeoutMs
  for (let why = whyNot(); why !== null; why = whyNot()) {
    const ended = instances.find(({ isRunning }) => !isRunning)
    if (ended !== undefined) throw new Error(`ended instead of sharing the tasks\n${ended.tail()}`)
    if (systemClock.monotonic() > deadline) throw new Error(`not in time: ${why}`)
    await systemClock.sleep(50)
  }
}
