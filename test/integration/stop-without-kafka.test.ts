import { afterEach, expect, test } from 'vitest'
import { Xoshiro128 } from '../../src/login-stats/generator/xoshiro128.ts'
import { Application } from '../support/application.ts'
import { haveSettled, killAllInstances } from '../support/instance.ts'
import { countOf, expectExact } from '../support/oracle.ts'
import { FatePlan } from '../support/tcp-proxy/fate.ts'
import { KafkaProxy } from '../support/tcp-proxy/kafka-proxy.ts'

let application: Application

afterEach(async () => {
  await killAllInstances()
  await application.close()
})

test('a stop while Kafka is away says that something is not committed, and the next start counts that once', async () => {
  application = new Application('away')
  await application.createInput(4)
  const random = new Xoshiro128(1)
  const plan = new FatePlan(random)
  const proxy = await KafkaProxy.start(application.config.brokers.join(','), plan, random)
  const stopped = application.start({ KAFKA_BROKERS: proxy.bootstrapServers })
  try {
    await haveSettled([stopped], 8)
    for (let count = 0; count < 10; count++) plan.strike('EndTxn', 'request', { kind: 'lose' })
    const logins = await application.produceLogins(3000)
    await expect.poll(() => plan.struckCount).toBeGreaterThan(0)
    // Nothing that is committed now has been heard of.
    await proxy.close()
    stopped.signal('SIGTERM')
    expect(await stopped.exited, stopped.tail()).toBe(0)
    const isTold = ({ msg }: { msg: string }) => msg.startsWith('Ends without a last commit')
    expect(stopped.log.filter(isTold), stopped.tail()).toHaveLength(1)
    const next = application.start()
    await expectExact(application, countOf(logins))
    expect(await next.stop()).toBe(0)
  } finally {
    await proxy.close()
  }
})
