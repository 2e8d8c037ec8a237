import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { startLocalKafka } from '../../src/local-kafka/index.ts'
import { systemClock } from '../../src/system/clock.ts'
import { Application } from '../support/application.ts'
import { killAllInstances } from '../support/instance.ts'
import { countOf, expectExact } from '../support/oracle.ts'

const cleanUps: (() => void | Promise<void>)[] = []

afterEach(async () => {
  await killAllInstances()
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
})

function newApplication(name: string, settings: Record<string, string> = {}): Application {
  const application = new Application(name, settings)
  cleanUps.push(() => application.close())
  return application
}

test('Kafka that is not there at the start is waited for, and said so; a restart under load and an outage of 20 s lose nothing', async () => {
  const kafka = await startLocalKafka({ sources: ['maven'] })
  cleanUps.push(() => kafka.close())
  const application = newApplication('no-kafka', { KAFKA_BROKERS: kafka.bootstrapServers })
  await application.createInput(2)
  await kafka.broker(1).stop()
  const instance = application.start()
  await instance.line('waiting', ({ msg }) => msg.startsWith('Kafka cannot be reached'), 20_000)
  await kafka.broker(1).start()
  await instance.line('tasks assigned', ({ msg }) => msg === 'Tasks assigned')
  const logins = await application.produceLogins(20_000)
  await expectExact(application, countOf(logins))

  // Killed while it is busy, and back at once.
  const more = await application.produceLogins(100_000, { seed: 2 })
  await kafka.broker(1).kill()
  await kafka.broker(1).start()
  await expectExact(application, countOf([...logins, ...more]))

  // Away for longer than the session time-out.
  await kafka.broker(1).kill()
  await systemClock.sleep(20_000)
  await kafka.broker(1).start()
  const last = await application.produceLogins(5000, { seed: 3 })
  await expectExact(application, countOf([...logins, ...more, ...last]))
  expect(await instance.stop()).toBe(0)
}, 240_000)

test('a state directory that cannot be made stops the start, with its path', async () => {
  const application = newApplication('state-dir')
  const file = join(application.stateDir, 'a-file')
  writeFileSync(file, '')
  await application.createInput(1)
  const instance = application.start({ STATE_DIR: join(file, 'state') })
  expect(await instance.exited).toBe(1)
  const error = instance.log.findLast(({ code }) => code !== undefined)
  expect(error?.code).toBe('STATE_DIR_UNUSABLE')
  expect(error?.msg).toContain(file)
})

/** A file system of its own, so that it can be full; null where we may not mount one. */
function smallDisk(size: string): string | null {
  const directory = mkdtempSync(join(tmpdir(), 'small-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', directory], { stdio: 'ignore' })
  } catch {
    rmSync(directory, { recursive: true })
    return null
  }
  cleanUps.push(() => {
    execFileSync('umount', [directory])
    rmSync(directory, { recursive: true })
  })
  return directory
}

test('a full disk stops the processor, which says why; with space again the counts are exact', async (context) => {
  const disk = smallDisk('2m')
  if (disk === null) return context.skip('mounting a file system is not allowed here')
  const application = newApplication('disk-full', { STATE_DIR: disk, DIMENSIONS: 'user_id' })
  await application.createInput(2)
  const instance = application.start()
  await instance.line('tasks assigned', ({ msg }) => msg === 'Tasks assigned')
  const logins = await application.produceLogins(60_000, { invalidShare: 0 })
  await instance.line(
    'the error',
    ({ code }) => code === 'STORE_WRITE_FAILED' || code === 'STATE_DIR_UNUSABLE',
  )
  expect(await instance.exited, instance.tail()).toBe(1)
  const error = instance.log.findLast(({ code }) => code !== undefined)
  expect(['STORE_WRITE_FAILED', 'STATE_DIR_UNUSABLE']).toContain(error?.code)
  execFileSync('mount', ['-o', 'remount,size=200m', disk])
  const next = application.start()
  await expectExact(application, countOf(logins))
  expect(await next.stop()).toBe(0)
})
