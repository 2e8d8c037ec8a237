import { readFileSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../src/system/clock.ts'
import { Application } from '../support/application.ts'
import { haveSettled, type Instance, killAllInstances } from '../support/instance.ts'
import { countOf, expectExact } from '../support/oracle.ts'

const partitions = 64
const instances = 4
/** Once for each instance that comes, and once for each eight tasks whose stores have become warm; twice that, for a busy machine. */
const mostAssignments = 2 * (instances + (0.75 * partitions) / 8)
/** With 16 tasks of each stage, a thread of its own; what Node itself takes is 60 MB of it. */
const mostMemoryMB = 400
const quietMs = 6000

let application: Application

afterEach(async () => {
  await killAllInstances()
  await application.close()
})

test('64 + 64 partitions on four instances: they come to rest, in bounded memory, and count exactly', async () => {
  application = new Application('many-partitions')
  await application.createInput(partitions)
  const logins = await application.produceLogins(300_000)
  const running = Array.from({ length: instances }, () => application.start())
  await haveSettled(running, 2 * partitions)
  await expectExact(application, countOf(logins))
  for (const instance of running) expect(instance.tasks).toHaveLength((2 * partitions) / instances)

  const joinsBefore = running.map(assignments)
  const more = await application.produceLogins(50_000)
  await systemClock.sleep(quietMs)
  expect(running.map(assignments), 'nobody joins again').toEqual(joinsBefore)
  for (const joins of joinsBefore) expect(joins).toBeLessThanOrEqual(mostAssignments)

  const peaks = running.map(peakMemoryMB)
  console.log(`assignments: ${joinsBefore.join()}; peak memory in MB: ${peaks.join()}`)
  for (const peak of peaks) expect(peak).toBeLessThan(mostMemoryMB)
  const all = countOf([...logins, ...more])
  await expectExact(application, all)
  for (const instance of running) expect(await instance.stop(), instance.tail()).toBe(0)
  // Whoever is stopped last may have told the stream time to tasks that nobody runs any more.
  expect((await application.verify()).differenceCount).toBe(0)
}, 180_000)

function assignments(instance: Instance): number {
  return instance.lines('Tasks assigned').length
}

/** 0 where the system does not say it. */
function peakMemoryMB({ pid }: Instance): number {
  if (process.platform !== 'linux') return 0
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Math.round(Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1000)
}
