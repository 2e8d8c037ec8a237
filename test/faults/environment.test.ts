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
