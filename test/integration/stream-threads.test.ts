/** Several stream threads in one process: each is a member of the group, all share the slot of the process. */
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../src/system/clock.ts'
import { Application } from '../support/application.ts'
import { cleanUpAll, cleanUpLater } from '../support/clean-ups.ts'
import { haveSettled, type Instance, wipes } from '../support/instance.ts'
import { Load } from '../support/load.ts'
import { countOf, expectExact } from '../support/oracle.ts'
import { expectStoresAgree } from '../support/store-check.ts'

const taskIds = ['0_0', '0_1', '0_2', '0_3', '1_0', '1_1', '1_2', '1_3']

let application: Application

afterEach(cleanUpAll)

async function start(settings: Record<string, string> = {}): Promise<Instance> {
  const instance = application.start({ STREAM_THREADS: '2', ...settings })
  await haveSettled([instance], taskIds.length)
  return instance
}

/** By thread, the tasks of its last assignment. */
function tasksByThread(instance: Instance): Map<unknown, string[]> {
  return new Map(
    instance.lines('Tasks assigned').map(({ thread, assigned }) => [thread, assigned as string[]]),
  )
}

test('two threads share the tasks, count exactly, and end in order', async () => {
  application = new Application('threads')
  cleanUpLater(() => application.close())
  await application.createInput(4)
  const logins = await application.produceLogins(100_000)
  const instance = await start()
  await expectExact(application, countOf(logins))
  const shares = [...tasksByThread(instance).values()]
  expect(shares.map((tasks) => tasks.length)).toEqual([4, 4])
  expect(shares.flat().sort()).toEqual(taskIds)
  expect(await instance.stop(), instance.tail()).toBe(0)
  expect(instance.noise).toEqual([])
  await expectStoresAgree(application)
})

test('a thread that crashes is reported and takes its tasks back; the other one keeps its own', async () => {
  application = new Application('threads-crash')
  cleanUpLater(() => application.close())
  await application.createInput(4)
  const instance = await start({
    CRASH_AT_STEP: 'commit:3',
    CRASH_TASK: '1_',
    CRASH_ROUND: '30',
    CRASH_SIGNAL: 'THROW',
    CRASH_MARK: join(application.stateDir, 'crashed'),
  })
  const load = new Load(application, { seed: 1, batch: 200, pauseMs: 20 })
  cleanUpLater(async () => void (await load.end()))
  const crash = await instance.line('the crash', ({ msg }) => msg === 'A stream thread has crashed')
  const lost = tasksByThread(instance).get(crash.thread) ?? []
  const going = await Promise.all(
    lost.map((id) =>
      instance.line(
        `${id} commits again`,
        ({ msg, task, time }) => msg === 'Committed' && task === id && time > crash.time,
        20_000,
      ),
    ),
  )
  console.log(
    `all tasks of the thread commit again after ${Math.max(...going.map(({ time }) => time)) - crash.time} ms`,
  )
  await systemClock.sleep(500)
  await expectExact(application, await load.end())
  const joined = instance.lines('Tasks assigned').filter(({ time }) => time > crash.time)
  // The static member got its place back: nobody else had to join again.
  expect(joined.map(({ thread, assigned }) => [thread, assigned])).toEqual([[crash.thread, lost]])
  expect(wipes(instance)).toEqual([])
  expect(await instance.stop(), instance.tail()).toBe(0)
  await expectStoresAgree(application)
})

test('killed and started again, with as many threads or with one, it restores no store anew', async () => {
  application = new Application('threads-kill')
  cleanUpLater(() => application.close())
  await application.createInput(4)
  const logins = await application.produceLogins(50_000)
  const first = await start()
  await expectExact(application, countOf(logins))
  await first.kill()
  logins.push(...(await application.produceLogins(5000, { seed: 2 })))
  const second = await start()
  await expectExact(application, countOf(logins))
  expect(await second.stop(), second.tail()).toBe(0)
  logins.push(...(await application.produceLogins(5000, { seed: 3 })))
  const third = await start({ STREAM_THREADS: '1' })
  await expectExact(application, countOf(logins))
  // After a stop in order all that the one thread finds in the slot is current, whoever wrote it.
  expect(third.lines('Store restored').map(({ restoredRecords }) => restoredRecords)).toEqual([0, 0, 0, 0])
  expect([...wipes(first), ...wipes(second), ...wipes(third)]).toEqual([])
  expect(await third.stop(), third.tail()).toBe(0)
  await expectStoresAgree(application)
})
