import { afterEach, expect, test } from 'vitest'
import { Application } from '../support/application.ts'
import { cleanUpAll, cleanUpLater } from '../support/clean-ups.ts'
import { haveSettled, haveTasks, type Instance, wipes } from '../support/instance.ts'
import { Load } from '../support/load.ts'
import { expectExact } from '../support/oracle.ts'
import { expectStoresAgree } from '../support/store-check.ts'

let application: Application

afterEach(cleanUpAll)

test('a rolling restart moves no task, and nobody restores a store', async () => {
  application = new Application('rolling', { LEAVE_GROUP_ON_STOP: 'false', SESSION_TIMEOUT_MS: '30000' })
  cleanUpLater(() => application.close())
  await application.createInput(4)
  const load = new Load(application, { seed: 1, batch: 200, pauseMs: 20 })
  cleanUpLater(async () => void (await load.end()))
  const instances: Instance[] = []
  for (let index = 0; index < 3; index++) {
    const instance = application.start()
    instances.push(instance)
    await haveTasks(instances, 8)
  }
  await haveSettled(instances, 8)
  const before = instances.map(({ tasks }) => tasks.toSorted())
  const assignments = instances.map((instance) => instance.lines('Tasks assigned').length)
  const all = [...instances]

  for (const [index, old] of instances.entries()) {
    expect(await old.stop(), old.tail()).toBe(0)
    const next = application.start()
    all.push(next)
    instances[index] = next
    for (const task of before[index] ?? []) {
      await next.line(`${task} commits again`, ({ msg, task: of }) => msg === 'Committed' && of === task)
    }
    expect(next.tasks.toSorted()).toEqual(before[index])
    // The others have heard nothing of it.
    for (const [other, instance] of instances.entries()) {
      const expected = other <= index ? 1 : assignments[other]
      expect(instance.lines('Tasks assigned'), instance.tail()).toHaveLength(expected ?? 0)
    }
  }
  await expectExact(application, await load.end())
  for (const instance of instances) {
    const restored = instance.lines('Store restored').map(({ restoredRecords }) => restoredRecords)
    expect(restored).toEqual(restored.map(() => 0))
    expect(await instance.stop(), instance.tail()).toBe(0)
  }
  for (const instance of all) expect(wipes(instance)).toEqual([])
  await expectStoresAgree(application)
})
