import { afterEach, describe, expect, test } from 'vitest'
import { Xoshiro128 } from '../../src/login-stats/generator/xoshiro128.ts'
import { systemClock } from '../../src/system/clock.ts'
import { Application } from '../support/application.ts'
import { type Instance, killAllInstances, wipes } from '../support/instance.ts'
import { countOf, expectExact } from '../support/oracle.ts'

let application: Application

afterEach(async () => {
  await killAllInstances()
  await application.close()
})

/** Records that an instance restored, over all its tasks. */
function restoredRecords(instance: Instance): number {
  return instance
    .lines('Store restored')
    .reduce((sum, { restoredRecords }) => sum + Number(restoredRecords), 0)
}

function expectNoWipe(instance: Instance): void {
  expect(wipes(instance)).toEqual([])
}

test('an instance that is killed five times at random moments under load counts exactly, and restores only the tail', async () => {
  application = new Application('kill')
  await application.createInput(4)
  const producing = application.produceLogins(300_000, { seed: 7, pauseMs: 100 })
  const restored: number[] = []
  // With the same seed it kills at the same moments; a failure names it.
  const seed = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000)
  console.log(`KILL_SEED=${seed}`)
  const random = new Xoshiro128(seed)
  for (let kill = 0; kill < 5; kill++) {
    const instance = application.start()
    await instance.line('tasks assigned', ({ msg }) => msg === 'Tasks assigned')
    await systemClock.sleep(300 + 1200 * random.next())
    await instance.kill()
    expectNoWipe(instance)
    restored.push(restoredRecords(instance))
  }
  const survivor = application.start()
  const report = await expectExact(application, countOf(await producing))
  expectNoWipe(survivor)
  restored.push(restoredRecords(survivor))
  // One commit per task can be missing in the store: at most each key once, never the whole changelog.
  for (const count of restored.slice(1)) expect(count).toBeLessThanOrEqual(report.keys)
  expect(await survivor.stop()).toBe(0)
})

describe('kill -9 at each numbered point of the commit', () => {
  test.each([
    { stage: 'the first stage', task: '0_' },
    { stage: 'the counting stage', task: '1_' },
  ])('of $stage leaves the counts exact', async ({ task }) => {
    application = new Application('kill-at-step')
    await application.createInput(2)
    const logins = await application.produceLogins(20_000, { seed: 11 })
    for (const step of [1, 2, 3, 4, 5]) {
      const instance = application.start({ CRASH_AT_STEP: String(step), CRASH_TASK: task, CRASH_ROUND: '2' })
      // Spread over some seconds, so that there are commits enough.
      const more = application.produceLogins(4000, { seed: 100 + step, batch: 100, pauseMs: 100 })
      // It dies by itself: a null exit code is a death by signal.
      expect(await instance.exited, instance.tail()).toBe(null)
      expectNoWipe(instance)
      logins.push(...(await more))
    }
    const survivor = application.start()
    await expectExact(application, countOf(logins))
    expectNoWipe(survivor)
  })
})

test('a zombie that was stopped past its session time-out commits nothing, and comes back', async () => {
  application = new Application('zombie', { SESSION_TIMEOUT_MS: '6000' })
  await application.createInput(2)
  const producing = application.produceLogins(150_000, { seed: 13, pauseMs: 200 })
  const zombie = application.start()
  await zombie.line('tasks assigned', ({ msg }) => msg === 'Tasks assigned')
  const other = application.start()
  await other.line(
    'tasks assigned',
    ({ msg, assigned }) => msg === 'Tasks assigned' && (assigned as string[]).length > 0,
  )
  zombie.signal('SIGSTOP')
  await other.line(
    'the other has all tasks',
    ({ msg, assigned }) => msg === 'Tasks assigned' && (assigned as string[]).length === 4,
  )
  const logins = await producing
  await expectExact(application, countOf(logins))
  const linesBefore = zombie.log.length
  zombie.signal('SIGCONT')
  const more = await application.produceLogins(20_000, { seed: 17 })
  const back = await zombie.line(
    'the zombie is back',
    (line) => line.msg === 'Tasks assigned' && zombie.log.indexOf(line) >= linesBefore,
    15_000,
  )
  expect((back.assigned as string[]).length).toBe(2)
  const { valid, invalid } = countOf([...logins, ...more])
  await expectExact(application, { valid, invalid })
  expect(await zombie.stop()).toBe(0)
  expect(await other.stop()).toBe(0)
})
