/** How long a rebalance keeps tasks from committing, under load: those that stay, and those that move with a warm store. */
import { afterEach, expect, test } from 'vitest'
import { spreadOf } from '../../bench/measure/statistics.ts'
import { systemClock } from '../../src/system/clock.ts'
import { Application } from '../support/application.ts'
import { cleanUpAll, cleanUpLater } from '../support/clean-ups.ts'
import { haveSettled, type Instance, wipes } from '../support/instance.ts'
import { Load } from '../support/load.ts'
import { expectExact } from '../support/oracle.ts'
import {
  longestQuietPause,
  type RebalancePauses,
  rebalancePauses,
  type TaskPause,
} from '../support/pauses.ts'
import { expectStoresAgree } from '../support/store-check.ts'

const taskCount = 8
/** What is left to restore of a store that was warm, in changelog records; a whole one has tens of thousands. */
const warmTail = 5000
/**
 * What is aimed at, for the tasks that stay and for those that move, in the usual rebalance: one of several may meet with a machine that is
 * busy, so their median is held against it.
 */
const stayedAimMs = 300
const movedAimMs = 1000
/** A machine with other things to do may need thrice as long, and thrice what it takes between two commits without a rebalance. */
const slack = 3

afterEach(cleanUpAll)

test.each(['thread', 'task'])(
  'tasks hardly pause while others come and go (transactions per %s)',
  async (scope) => {
    const settings = { standbyReplicas: 1 }
    const application = new Application('pauses', {
      STANDBY_REPLICAS: String(settings.standbyReplicas),
      TRANSACTION_SCOPE: scope,
    })
    cleanUpLater(() => application.close())
    await application.createInput(4)
    const load = new Load(application, { seed: 1, batch: 80, pauseMs: 25, isSpread: true })
    cleanUpLater(async () => void (await load.end()))
    const stay = [application.start(), application.start()]
    await haveSettled(stay, taskCount, settings)
    const quietFrom = systemClock.now()
    await systemClock.sleep(2000)
    const quietTo = systemClock.now()
    const all = [...stay]
    for (let round = 0; round < 2; round++) {
      const guest = application.start()
      all.push(guest)
      await haveSettled([...stay, guest], taskCount, settings)
      await systemClock.sleep(500)
      expect(await guest.stop(), guest.tail()).toBe(0)
      await haveSettled(stay, taskCount, settings)
    }
    await systemClock.sleep(500)
    await expectExact(application, await load.end())

    const quietMs = longestQuietPause(all, quietFrom, quietTo)
    const rebalances = rebalancePauses(all, quietTo)
    for (const rebalance of rebalances) console.log(described(rebalance))
    const stayed = rebalances.map((rebalance) => rebalance.stayed)
    const moved = rebalances.map((rebalance) => rebalance.moved)
    console.log(
      `longest pause in the usual rebalance, transactions per ${scope}: ${usual(stayed)} ms of a task that stays, ${usual(moved)} ms of one that moves; without a rebalance ${quietMs} ms`,
    )
    // Two came and two went.
    expect(rebalances.length).toBeGreaterThanOrEqual(4)
    const withStore = moved.flat().filter(({ task }) => task.startsWith('1_'))
    expect(withStore.length).toBeGreaterThanOrEqual(4)
    expect(usual(stayed)).toBeLessThan(slack * (stayedAimMs + quietMs))
    expect(usual(moved)).toBeLessThan(slack * (movedAimMs + quietMs))
    for (const { restoredRecords } of withStore) expect(restoredRecords).toBeLessThan(warmTail)
    // A task that stays keeps its store as it is.
    for (const instance of all) expect(restoredAgain(instance)).toEqual([])
    for (const instance of stay) expect(await instance.stop(), instance.tail()).toBe(0)
    for (const instance of all) expect(wipes(instance)).toEqual([])
    await expectStoresAgree(application)
  },
  240_000,
)

/** The tasks that were restored more often than the instance was given them. */
function restoredAgain(instance: Instance): string[] {
  const given = instance.lines('Tasks assigned').flatMap(({ added }) => added as string[])
  const restored = instance.lines('Store restored').map(({ task }) => String(task))
  const timesIn = (tasks: readonly string[], task: string): number => tasks.filter((id) => id === task).length
  return restored.filter((task) => timesIn(restored, task) > timesIn(given, task))
}

/** By rebalance; the median of the longest of each. */
function usual(pauses: readonly (readonly TaskPause[])[]): number {
  const longest = pauses
    .filter((ofOne) => ofOne.length > 0)
    .map((ofOne) => Math.max(...ofOne.map(({ pauseMs }) => pauseMs)))
  return spreadOf(longest)?.median ?? 0
}

function described({ generationId, durationMs, stayed, moved }: RebalancePauses): string {
  const list = (pauses: readonly TaskPause[]): string =>
    pauses
      .map(
        ({ task, pauseMs, restoredRecords }) =>
          `${task} ${pauseMs}${restoredRecords === null ? '' : ` (${restoredRecords} records restored)`}`,
      )
      .join(', ')
  return `generation ${generationId}, ${durationMs} ms; stayed: ${list(stayed)}; moved: ${list(moved)}`
}
