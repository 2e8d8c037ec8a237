/** Standby tasks: copies of the stores on other processes, which follow the changelogs and take over by restoring the tail alone. */
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../src/system/clock.ts'
import { Application } from '../support/application.ts'
import { cleanUpAll, cleanUpLater } from '../support/clean-ups.ts'
import { haveSettled, haveTasks, type Instance, wipes } from '../support/instance.ts'
import { Load } from '../support/load.ts'
import { expectExact } from '../support/oracle.ts'
import { expectStoresAgree } from '../support/store-check.ts'

const taskCount = 8
const stateful = ['1_0', '1_1', '1_2', '1_3']

let application: Application

afterEach(cleanUpAll)

const statefulOf = (instance: Instance): string[] =>
  instance.tasks.filter((id) => id.startsWith('1_')).toSorted()

test('after the death of an instance the other one takes over from its standby stores', async () => {
  application = new Application('standby', { STANDBY_REPLICAS: '1', SESSION_TIMEOUT_MS: '6000' })
  cleanUpLater(() => application.close())
  await application.createInput(4)
  await application.produceLogins(50_000, { invalidShare: 0 })
  const load = new Load(application, { seed: 1, batch: 200, pauseMs: 20 })
  cleanUpLater(async () => void (await load.end()))
  const first = application.start()
  const second = application.start()
  await haveSettled([first, second], taskCount, { standbyReplicas: 1 })
  // So that a restore from the beginning would show.
  await systemClock.sleep(5000)
  const lost = statefulOf(first)
  const killedAt = systemClock.now()
  await first.kill()
  const restored = await Promise.all(
    lost.map((id) =>
      second.line(
        `${id} is taken over`,
        ({ msg, task, time }) => msg === 'Store restored' && task === id && time > killedAt,
      ),
    ),
  )
  const expected = await load.end()
  await expectExact(application, { ...expected, valid: expected.valid + 50_000 })
  const ends = await Promise.all(stateful.map((id) => changelogEnd(Number(id.slice(2)))))
  for (const { task, restoredRecords } of restored) {
    const end = ends[Number(String(task).slice(2))] ?? 0
    console.log(`${task}: ${restoredRecords} of about ${end} changelog records restored`)
    expect(Number(restoredRecords)).toBeLessThan(end / 2)
  }
  expect(wipes(second)).toEqual([])
  expect(await second.stop(), second.tail()).toBe(0)
  await expectStoresAgree(application)
})

test('a task moves to a new instance only when its store is warm there; no login waits for a restore', async () => {
  application = new Application('warm-up')
  cleanUpLater(() => application.close())
  await application.createInput(4)
  const load = new Load(application, { seed: 1, batch: 200, pauseMs: 20 })
  cleanUpLater(async () => void (await load.end()))
  const first = application.start()
  await haveTasks([first], taskCount)
  await systemClock.sleep(3000)
  const second = application.start()
  await second.line(
    'warm-ups',
    ({ msg, standbyTasks }) => msg === 'Tasks assigned' && standbyTasks !== undefined,
  )
  // No replicas are wanted: what was warmed up is the tasks' own store then.
  await haveSettled([first, second], taskCount)
  for (const instance of [first, second]) expect(statefulOf(instance)).toHaveLength(2)
  await systemClock.sleep(2000)
  const expected = await load.end()
  await expectExact(application, expected)
  const restored = second.lines('Store restored').map(({ restoredRecords }) => Number(restoredRecords))
  console.log(`records restored while a task waited: ${restored.join(', ')}`)
  for (const instance of [first, second]) {
    expect(wipes(instance)).toEqual([])
    expect(await instance.stop(), instance.tail()).toBe(0)
  }
  await expectStoresAgree(application)
})

async function changelogEnd(partition: number): Promise<number> {
  const topic = `${application.config.appId}-counts-changelog`
  const [end = 0] = await application.kafka.admin.listOffsets([{ topic, partition }], 'highWatermark')
  return end
}
