import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import type { Log } from '../ports/log.ts'
import {
  type EngineObserver,
  SlotStores,
  StateDirectory,
  StreamThreads,
  type TaskStatus,
} from '../streams/index.ts'
import { systemClock } from '../system/clock.ts'
import { levelDatabaseOpener } from '../system/level-database.ts'
import type { LoggerOptions } from '../system/logger.ts'
import { systemRandom } from '../system/random.ts'
import { stateFiles } from '../system/state-files.ts'
import { workerThreads } from '../system/worker-threads.ts'
import type { Config } from './config/index.ts'
import type { WorkerData } from './stream-thread-worker.ts'
import type { Askable, ThreadQuestion } from './thread-questions.ts'

/** The main job, in one stream thread or in several. */
export interface Processor extends Askable {
  /** Of its slot in the state directory: the same after a restart. */
  readonly instanceId: string
  /** For what may be lost at any time. */
  readonly cacheDirectory: string
  /** Whether the stream threads are others than the process's own. */
  readonly hasWorkers: boolean
  /** Resolves after `stop`; rejects with the CodedError that ended it. */
  run(): Promise<void>
  stop(): void
  /** Of the tasks of all threads. */
  status(): TaskStatus[]
  /** Whether the group has given all threads their tasks, be it none, and no rebalance is under way. */
  isAssigned(): boolean
  /** How many threads were started again after a crash. */
  threadRestarts(): number
  storeSizeInBytes(task: string): Promise<number>
  /** Gives the slot of the state directory back, after `run` has ended. */
  close(): Promise<void>
}

export interface ProcessorOptions {
  readonly config: Config
  /** Given to each thread, which makes a logger of its own from it. */
  readonly logTo: Pick<LoggerOptions, 'level'> & { readonly destination?: number | string }
  /** Of a processor with a single thread. */
  readonly observer?: EngineObserver
  /** What the threads run where there are several. */
  readonly threadModule?: URL
  /** Where this process answers the other instances, e.g. `http://10.0.0.7:8080`; nowhere if absent. */
  readonly endpoint?: string
}

/** A thread that does not answer in time is left out of metrics. */
const answerWithinMs = 2000

/** `.ts` from source, `.js` in the package. */
const streamThreadMain = new URL(`./stream-thread-main${extname(import.meta.url)}`, import.meta.url)

/**
 * The processor of a configuration, ready to run. Claims a slot of the state directory. Throws STATE_DIR_UNUSABLE,
 * CONFIG_INVALID, KAFKAJS_CHANGED.
 */
export async function openProcessor(options: ProcessorOptions, log: Log): Promise<Processor> {
  const { config } = options
  const slot = await StateDirectory.claim({
    stateDir: config.stateDir,
    appId: config.appId,
    opener: levelDatabaseOpener,
    files: stateFiles,
    random: systemRandom,
  })
  const threadCount = config.streamThreads ?? availableParallelism()
  return threadCount === 1
    ? openInThisThread(options, slot, log)
    : openInThreads(options, slot, log, threadCount)
}

async function openInThisThread(
  { config, observer, endpoint }: ProcessorOptions,
  slot: StateDirectory,
  log: Log,
): Promise<Processor> {
  // Where there are several threads, this one need not wait for what it would not use.
  const { openStreamThread } = await import('./stream-thread.ts')
  const options = { config, thread: 0, slot: slot.member(0), endpoint: endpoint ?? null }
  const { streams, answer, close } = await openStreamThread(options, log, observer)
  return {
    ...aboutSlot(slot),
    hasWorkers: false,
    isAssigned: () => streams.isAssigned,
    threadRestarts: () => 0,
    ask: async (question: ThreadQuestion) => [await answer(question)],
    run: () => streams.run(),
    stop: () => streams.stop(),
    status: () => streams.status(),
    close: async () => {
      await close()
      await slot.release()
    },
  }
}

function openInThreads(
  options: ProcessorOptions,
  slot: StateDirectory,
  log: Log,
  threadCount: number,
): Processor {
  const { config, logTo } = options
  const endpoint = options.endpoint ?? null
  const threads = new StreamThreads({
    host: workerThreads(options.threadModule ?? streamThreadMain),
    count: threadCount,
    atMostTasks: config.streamThreads === null,
    dataOf: (index): WorkerData => ({ thread: index, config, slot: slot.member(index), endpoint, logTo }),
    maxStallMs: config.maxStallMs,
    clock: systemClock,
    log,
  })
  return {
    ...aboutSlot(slot),
    hasWorkers: true,
    isAssigned: () => threads.isAssigned,
    threadRestarts: () => threads.restarts,
    ask: (question: ThreadQuestion) => threads.ask(question, answerWithinMs),
    run: () => threads.run(),
    stop: () => threads.stop(),
    status: () => threads.status(),
    close: () => slot.release(),
  }
}

function aboutSlot(slot: StateDirectory) {
  const stores = new SlotStores(slot.member(0), stateFiles)
  return {
    instanceId: slot.instanceId,
    cacheDirectory: slot.cacheDirectory,
    storeSizeInBytes: (task: string) => stores.sizeInBytes(task),
  }
}
