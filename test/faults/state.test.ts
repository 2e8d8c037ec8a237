import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect } from 'vitest'
import { systemClock } from '../../src/system/clock.ts'
import { Application } from '../support/application.ts'
import { cleanUpAll, cleanUpLater } from '../support/clean-ups.ts'
import { storeOf } from '../support/damage.ts'
import { type Figures, faultRounds, type Round } from '../support/fault-rounds.ts'
import type { Instance } from '../support/instance.ts'
import { countOf, expectExact } from '../support/oracle.ts'
import { ProgressWatch } from '../support/progress.ts'
import { expectStoresAgree } from '../support/store-check.ts'

const row = 'state directory deleted'
const counts = { short: 1, long: 10 } as const

let application: Application

afterEach(cleanUpAll)

faultRounds(row, 'while nothing runs', { taste: 1, ...counts }, async (round) => {
  const { logins } = await counting(round, async (instance) => {
    await (round.random.chance(0.5) ? instance.kill() : instance.stop())
    rmSync(join(application.stateDir, application.config.appId), { recursive: true })
  })
  return { logins, faults: 1, stalledMs: null }
})

faultRounds(row, 'one store of it, while nothing runs', counts, async (round) => {
  const { logins } = await counting(round, async (instance) => {
    await (round.random.chance(0.5) ? instance.kill() : instance.stop())
    rmSync(storeOf(application, '1_0'), { recursive: true })
  })
  return { logins, faults: 1, stalledMs: null }
})

// What is open goes on as it is; a new file cannot be made. It ends with an error, or with the next signal.
faultRounds(row, 'under a running instance', counts, async (round) => {
  const { logins, stalledMs } = await counting(round, async (instance) => {
    rmSync(join(application.stateDir, application.config.appId), { recursive: true })
    await systemClock.sleep(2000 * round.random.next())
    await (round.random.chance(0.5) ? instance.kill() : instance.stop())
  })
  return { logins, faults: 1, stalledMs }
})

/** An instance under load, the fault, and another instance that restores what is gone and counts everything. */
async function counting(
  { seed, random }: Round,
  inflict: (instance: Instance) => Promise<void>,
): Promise<Pick<Figures, 'logins' | 'stalledMs'>> {
  application = new Application('state-deleted')
  cleanUpLater(() => application.close())
  await application.createInput(2)
  const first = application.start()
  const logins = await application.produceLogins(10_000, { seed })
  const watch = new ProgressWatch(application)
  cleanUpLater(async () => void (await watch.end()))
  const producing = application.produceLogins(10_000, { seed: seed + 1, batch: 500, pauseMs: 100 })
  // Awaited after what may fail before.
  producing.catch(() => undefined)
  for (const task of ['1_0', '1_1']) {
    await first.line('a commit', (line) => line.msg === 'Committed' && line.task === task)
  }
  await systemClock.sleep(1000 * random.next())
  await inflict(first)
  const next = application.start()
  // Without its instance id it is somebody new: after a kill the group waits for the old one until the session times out.
  for (const task of ['1_0', '1_1']) {
    await next.line('restored', (line) => line.msg === 'Store restored' && line.task === task)
  }
  logins.push(...(await producing), ...(await application.produceLogins(1000, { seed: seed + 2 })))
  await expectExact(application, countOf(logins))
  const restored = next.lines('Store restored').map(({ restoredRecords }) => Number(restoredRecords))
  expect(Math.max(...restored)).toBeGreaterThan(0)
  expect(await next.stop(), next.tail()).toBe(0)
  await expectStoresAgree(application)
  return { logins: logins.length, stalledMs: await watch.end() }
}
