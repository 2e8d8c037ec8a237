import { afterEach, expect } from 'vitest'
import type { TransactionScope } from '../../src/streams/index.ts'
import { systemClock } from '../../src/system/clock.ts'
import { Application } from '../support/application.ts'
import { type Figures, faultRounds, type Round } from '../support/fault-rounds.ts'
import { haveSettled, haveTasks, type Instance, type LogLine, wipes } from '../support/instance.ts'
import { expectStoresAgree } from '../support/store-check.ts'
import { UnderLoad } from '../support/under-load.ts'

const row = 'SIGSTOP past the session time-out, SIGCONT (zombie)'
/** The shortest that a broker allows by default. */
const sessionTimeoutMs = 6000
/** The limit of the table, kept on two cores that do nothing else; for machines that do, twice as much is allowed. */
const backLimitMs = 10_000
const taskCount = 4

afterEach(() => UnderLoad.close())

faultRounds(
  row,
  'stopped at a step of a commit or a take-over',
  { taste: 1, short: 1, long: 20, bothScopes: true },
  (round) => {
    const stage = round.random.below(2)
    // A task without a store has no steps 4 and 5.
    const takeOverSteps: readonly [number, ...number[]] = stage === 0 ? [1, 2, 3, 6] : [1, 2, 3, 4, 5, 6]
    const isCommit = round.column === 'taste' || round.random.chance(0.6)
    const step = isCommit
      ? `commit:${1 + round.random.below(4)}`
      : `take-over:${round.random.pick(takeOverSteps)}`
    const rounds = isCommit ? 1 + round.random.below(20) : 1
    const settings = { CRASH_AT_STEP: step, CRASH_TASK: `${stage}_`, CRASH_ROUND: String(rounds) }
    return zombieRound(round, { ...settings, CRASH_SIGNAL: 'SIGSTOP' }, async (zombie) => {
      await zombie.line('stopped', ({ msg }) => msg === 'Crash point reached')
    })
  },
)

faultRounds(row, 'stopped at a random moment', { short: 1, long: 20 }, (round) =>
  zombieRound(round, {}, async (zombie, other) => {
    await haveSettled([zombie, other], taskCount)
    await systemClock.sleep(2000 * round.random.next())
    zombie.signal('SIGSTOP')
  }),
)

async function zombieRound(
  { random, seed }: Round,
  settings: Readonly<Record<string, string>>,
  stopped: (zombie: Instance, other: Instance) => Promise<void>,
): Promise<Figures> {
  const application = new Application('zombie', { SESSION_TIMEOUT_MS: String(sessionTimeoutMs) })
  const scene = await UnderLoad.start(application, { seed, partitionCount: 2 })
  const other = application.start()
  await haveTasks([other], taskCount)
  scene.watchProgress()
  const zombie = application.start(settings)
  await stopped(zombie, other)
  const lineCount = zombie.log.length
  await other.line('it knows of the zombie', ({ msg, revoked }) => isAssignment(msg) && hasTasks(revoked))
  await haveTasks([other], taskCount)
  // By then the new owner has commits of its own, or is about to make the first.
  await systemClock.sleep(1500 * random.next())
  const wokenAt = systemClock.now()
  zombie.signal('SIGCONT')
  const comesAfter = (line: LogLine, earlier: LogLine): boolean =>
    line.time >= earlier.time && zombie.log.indexOf(line) > zombie.log.indexOf(earlier)
  // An assignment that it had before it was stopped may be logged only now. Who was about to rejoin anyhow does so without a word.
  const lost = await zombie.line(
    'it knows that it is out',
    ({ msg, time }) => (msg === 'rejoin needed' || msg === 'joined the group') && time >= wokenAt,
    2 * backLimitMs,
  )
  const back = await zombie.line(
    'it has tasks again',
    (line) => isAssignment(line.msg) && hasTasks(line.assigned) && comesAfter(line, lost),
    2 * backLimitMs,
  )
  const going = await zombie.line(
    'it commits again',
    (line) => line.msg === 'Committed' && comesAfter(line, back),
    2 * backLimitMs,
  )
  const backMs = going.time - wokenAt
  console.log(`${settings.CRASH_AT_STEP ?? 'random'}: back after ${backMs} ms`)
  expect(backMs).toBeLessThanOrEqual(2 * backLimitMs)
  expectNotCommitted(
    zombie,
    application.config.transactionScope,
    zombie.log.slice(lineCount, zombie.log.indexOf(back)),
  )
  expectNotFenced(zombie, other, wokenAt)
  const { figures } = await scene.expectExact(1)
  for (const instance of [zombie, other]) {
    expect(wipes(instance), instance.tail()).toEqual([])
    expect(await instance.stop(), instance.tail()).toBe(0)
  }
  await expectStoresAgree(application)
  return { ...figures, outcomes: { [backMs <= backLimitMs ? 'back within 10 s' : 'back later']: 1 } }
}

/** Between waking and its next assignment it has not committed what it was stopped in. */
function expectNotCommitted(zombie: Instance, scope: TransactionScope, lines: readonly LogLine[]): void {
  const stop = zombie.lines('Crash point reached')[0]
  // After step 4 the commit is a fact; only the store was still to be written. After step 3 the offsets are part of the transaction, and
  // where nobody is fenced the new owner waits for its end, which may still be a good one.
  const mayCommit = scope === 'task' ? ['commit:4'] : ['commit:3', 'commit:4']
  if (stop === undefined || mayCommit.includes(String(stop.step))) return
  const committed = lines.filter(({ msg, task }) => msg === 'Committed' && task === stop.task)
  expect(committed).toEqual([])
}

/** Who was stopped before it fenced the old owner of a task must not fence the new one. */
function expectNotFenced(zombie: Instance, other: Instance, wokenAt: number): void {
  const [stop] = zombie.lines('Crash point reached')
  if (stop === undefined) return
  const fenced = other.log.filter(
    ({ time, task, code }) => time >= wokenAt && task === stop.task && code === 'PRODUCER_FENCED',
  )
  expect(fenced).toEqual([])
}

function isAssignment(message: string): boolean {
  return message === 'Tasks assigned'
}

function hasTasks(tasks: unknown): boolean {
  return Array.isArray(tasks) && tasks.length > 0
}
