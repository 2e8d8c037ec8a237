import { afterEach, expect } from 'vitest'
import { systemClock } from '../../src/system/clock.ts'
import { openReader } from '../../src/verify/index.ts'
import { Application } from '../support/application.ts'
import { type Figures, faultRounds, type Round } from '../support/fault-rounds.ts'
import { haveTasks, type LogLine, wipes } from '../support/instance.ts'
import { expectStoresAgree } from '../support/store-check.ts'
import { UnderLoad } from '../support/under-load.ts'

/** The processor's own is 10 s, and brokers look for transactions past their time every 10 s. */
const abortedWithinMs = 30_000
/** From waking to the next commit of the task; half of it on two cores that do nothing else. */
const goingAgainLimitMs = 10_000
const taskCount = 4

afterEach(() => UnderLoad.close())

faultRounds(
  'transaction time-out passes',
  'the process stands still in an open transaction, and its session goes on',
  { short: 1, long: 10, timeoutMs: 180_000 },
  standStill,
)

async function standStill({ random, seed }: Round): Promise<Figures> {
  // The group must still know the process when it wakes: only its transactions are lost.
  const application = new Application('transaction-timeout', { SESSION_TIMEOUT_MS: '60000' })
  const scene = await UnderLoad.start(application, { seed, partitionCount: 2 })
  // After step 2 the records are in the log, after step 3 the offsets are too.
  const step = `commit:${2 + random.below(2)}`
  const instance = application.start({
    CRASH_AT_STEP: step,
    CRASH_TASK: `${random.below(2)}_`,
    CRASH_ROUND: String(10 + random.below(20)),
    CRASH_SIGNAL: 'SIGSTOP',
  })
  await haveTasks([instance], taskCount)
  scene.watchProgress()
  const stop = await instance.line('stopped', ({ msg }) => msg === 'Crash point reached')
  const stoppedAt = instance.log.length
  await coordinatorHasAborted(application, `${stop.task}`)

  const wokenAt = systemClock.now()
  instance.signal('SIGCONT')
  const isNew = (line: LogLine): boolean => instance.log.indexOf(line) >= stoppedAt
  const isOf = (task: unknown): boolean => task === stop.task
  const fenced = await instance.line(
    'it hears that its transaction is lost',
    (line) => isNew(line) && isOf(line.task) && line.code === 'PRODUCER_FENCED',
    goingAgainLimitMs,
  )
  const going = await instance.line(
    'it commits again',
    (line) => isNew(line) && isOf(line.task) && line.msg === 'Committed',
    goingAgainLimitMs,
  )
  console.log(`${step} of ${stop.task}: commits again ${going.time - wokenAt} ms after waking`)
  expect(going.time).toBeGreaterThanOrEqual(fenced.time)
  expect(going.time - wokenAt).toBeLessThanOrEqual(goingAgainLimitMs)
  const { figures } = await scene.expectExact(1)
  expect(wipes(instance), instance.tail()).toEqual([])
  expect(await instance.stop(), instance.tail()).toBe(0)
  await expectStoresAgree(application)
  return figures
}

/**
 * Waits until nothing is open in what the task writes; the process stands still, so only the coordinator can have ended its
 * transactions.
 */
async function coordinatorHasAborted(application: Application, task: string): Promise<void> {
  const { appId, outputTopic } = application.config
  const topics = task.startsWith('0_')
    ? [`${appId}-counts-repartition`]
    : [`${appId}-counts-changelog`, outputTopic]
  const deadline = systemClock.monotonic() + abortedWithinMs
  const reader = await openReader({ brokers: application.config.brokers }, systemClock)
  try {
    let wasOpen = false
    for (;;) {
      let isOpen = false
      for (const topic of topics) {
        const ends = await reader.offsets(topic, 'highWatermark')
        const stable = await reader.offsets(topic, 'lastStable')
        isOpen ||= ends.some((end, partition) => (stable[partition] ?? 0) < end)
      }
      if (!isOpen) break
      wasOpen = true
      if (systemClock.monotonic() > deadline) throw new Error('the transaction was not aborted in time')
      await systemClock.sleep(100)
    }
    expect(wasOpen).toBe(true)
  } finally {
    await reader.close()
  }
}
