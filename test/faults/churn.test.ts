import { afterEach, expect } from 'vitest'
import { systemClock } from '../../src/system/clock.ts'
import { Application } from '../support/application.ts'
import { type Figures, faultRounds, type Round } from '../support/fault-rounds.ts'
import { type Instance, wipes } from '../support/instance.ts'
import { expectStoresAgree } from '../support/store-check.ts'
import { UnderLoad } from '../support/under-load.ts'

/** At a time, those that are on their way down not counted. */
const mostInstances = 3

afterEach(() => UnderLoad.close())

faultRounds(
  'instances started and stopped every 1-2 s',
  'SIGTERM and SIGKILL',
  { short: 1, long: 1, timeoutMs: 15 * 60_000 },
  churn,
)

faultRounds(
  'instances started and stopped every 1-2 s',
  'SIGTERM and SIGKILL; two stream threads each, standby stores',
  { short: 1, long: 0, timeoutMs: 15 * 60_000 },
  (round) => churn(round, { STREAM_THREADS: '2', STANDBY_REPLICAS: '1' }),
)

async function churn(
  { column, random, seed }: Round,
  environment: Readonly<Record<string, string>> = {},
): Promise<Figures> {
  const application = new Application('churn', { SESSION_TIMEOUT_MS: '6000', ...environment })
  const scene = await UnderLoad.start(application, { seed, partitionCount: 4, pauseMs: 20 })
  scene.watchProgress()
  let running: Instance[] = [application.start()]
  const terminated: Instance[] = []
  const killed: Instance[] = []
  const all = [...running]
  const deadline = systemClock.monotonic() + (column === 'long' ? 600_000 : 20_000)
  let faults = 0
  while (systemClock.monotonic() < deadline) {
    await systemClock.sleep(1000 + 1000 * random.next())
    expectAlive(running)
    const isStart = running.length === 0 || (running.length < mostInstances && random.chance(0.5))
    if (isStart) {
      const started = application.start()
      running.push(started)
      all.push(started)
    } else {
      const victim = random.pick(running as [Instance, ...Instance[]])
      running = running.filter((instance) => instance !== victim)
      if (random.chance(0.5)) {
        victim.signal('SIGTERM')
        terminated.push(victim)
      } else {
        victim.signal('SIGKILL')
        killed.push(victim)
      }
    }
    faults += 1
  }
  if (running.length === 0) running.push(application.start())
  const { figures } = await scene.expectExact(faults)
  const counting = all.filter((instance) => instance.lines('Committed').length > 0)
  console.log(`${all.length} instances started, ${counting.length} of them counted before they were stopped`)
  expectAlive(running)
  for (const instance of terminated) await expectOrderlyEnd(instance)
  // None of them had ended by itself before.
  for (const instance of killed) expect(await instance.exited, instance.tail()).toBe(null)
  for (const instance of running) expect(await instance.stop(), instance.tail()).toBe(0)
  await expectStoresAgree(application)
  for (const instance of all) expect(wipes(instance), instance.tail()).toEqual([])
  return figures
}

/** None may end but by a signal. */
function expectAlive(instances: readonly Instance[]): void {
  for (const instance of instances) expect(instance.isRunning, instance.tail()).toBe(true)
}

/** A process that was told to end before it listened dies by the signal; any other ends with 0. */
async function expectOrderlyEnd(instance: Instance): Promise<void> {
  const code = await instance.exited
  if (code === null) expect(instance.lines('Starting'), instance.tail()).toEqual([])
  else expect(code, instance.tail()).toBe(0)
}
