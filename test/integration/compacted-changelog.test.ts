import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../src/system/clock.ts'
import { Application } from '../support/application.ts'
import { emptyBatches } from '../support/empty-batches.ts'
import { killAllInstances } from '../support/instance.ts'
import { countOf, expectExact } from '../support/oracle.ts'

let application: Application

afterEach(async () => {
  await killAllInstances()
  await application.close()
})

test('a changelog whose compacted segments end in empty batches is restored to its end', async () => {
  application = new Application('compacted')
  await application.createInput(1)
  const changelog = `${application.config.appId}-counts-changelog`
  await application.kafka.admin.createTopics([
    {
      name: changelog,
      partitionCount: 1,
      replicationFactor: -1,
      config: {
        'cleanup.policy': 'compact',
        'segment.ms': '300',
        'min.cleanable.dirty.ratio': '0.001',
        'max.compaction.lag.ms': '500',
      },
    },
  ])
  const logins = []
  // A foreign producer's aborted records are what compaction turns into an empty batch at the end of a segment.
  for (let round = 0; round < 3; round++) {
    const instance = application.start()
    logins.push(...(await application.produceLogins(3000, { seed: round + 1 })))
    await expectExact(application, countOf(logins))
    expect(await instance.stop()).toBe(0)
    const foreign = application.kafka.producer({
      transactionalId: `${changelog}-foreign-${round}`,
      transactionTimeoutMs: 30_000,
    })
    await foreign.init()
    const records = foreign.appender()
    records.append(Buffer.from('\u0001total'), Buffer.from('never'), systemClock.now())
    await foreign.send([{ partition: { topic: changelog, partition: 0 }, records }])
    await foreign.abort()
    await systemClock.sleep(400)
  }
  const deadline = systemClock.monotonic() + 60_000
  while ((await emptyBatches(application, changelog)) === 0) {
    expect(systemClock.monotonic(), 'compaction in time').toBeLessThan(deadline)
    await systemClock.sleep(500)
  }
  rmSync(join(application.stateDir, application.config.appId), { recursive: true })
  const restored = application.start()
  logins.push(...(await application.produceLogins(1000, { seed: 9 })))
  await expectExact(application, countOf(logins))
  expect(await restored.stop()).toBe(0)
})
