import { afterEach, expect, test } from 'vitest'
import { Application } from '../support/application.ts'
import { killAllInstances } from '../support/instance.ts'
import { countOf, expectExact } from '../support/oracle.ts'

let application: Application

afterEach(async () => {
  await killAllInstances()
  await application.close()
})

test('200,000 logins over 4 partitions, 2 % of them invalid, are counted exactly by two instances', async () => {
  application = new Application('counts')
  await application.createInput(4)
  const logins = await application.produceLogins(200_000, { invalidShare: 0.02 })
  const first = application.start()
  const second = application.start()
  await expectExact(application, countOf(logins))
  expect(await first.stop()).toBe(0)
  expect(await second.stop()).toBe(0)
  expect(first.noise).toEqual([])
  // A stop leaves nothing behind that a new look could find wrong; but the second one, which has taken the tasks of the first over, may
  // have told their stream time to tasks that nobody runs any more.
  const { differences, logins: found } = await application.verify()
  expect(differences).toEqual([])
  expect(found.valid).toBe(countOf(logins).valid)
})
