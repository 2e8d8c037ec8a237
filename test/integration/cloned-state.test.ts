import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../src/system/clock.ts'
import { Application } from '../support/application.ts'
import { type Instance, killAllInstances } from '../support/instance.ts'
import { countOf, expectExact } from '../support/oracle.ts'

let application: Application
let copyDir: string

afterEach(async () => {
  await killAllInstances()
  await application.close()
  rmSync(copyDir, { recursive: true, force: true })
})

const isAssigned = ({ msg }: { msg: string }): boolean => msg === 'Tasks assigned'

/** A process with a copy of the state directory as it is now: with the stores, and the name. */
function startClone(settings: Readonly<Record<string, string>>): Instance {
  copyDir = mkdtempSync(join(tmpdir(), 'cloned-state-'))
  cpSync(application.stateDir, copyDir, { recursive: true })
  return application.start({ ...settings, STATE_DIR: copyDir })
}

async function firstToEnd(instances: readonly Instance[], timeoutMs = 60_000): Promise<Instance> {
  const tooLate = systemClock.sleep(timeoutMs).then(() => {
    throw new Error(`None has ended:\n${instances.map((instance) => instance.tail()).join('\n\n')}`)
  })
  return await Promise.race([tooLate, ...instances.map((one) => one.exited.then(() => one))])
}

async function codeOf(instance: Instance): Promise<unknown> {
  await instance.exited
  return instance.log.findLast(({ code }) => code !== undefined)?.code
}

test.each(['thread', 'task'])(
  'counts stay right where a clone of the state directory takes the place, and loses it again (scope %s)',
  async (scope) => {
    const settings = { TRANSACTION_SCOPE: scope }
    application = new Application(`clone-${scope}`, settings)
    await application.createInput(3)
    const logins = await application.produceLogins(3000)
    const original = application.start(settings)
    await expectExact(application, countOf(logins))

    // While the original stands still, the clone goes on from the copied stores, and leaves them behind.
    original.signal('SIGSTOP')
    const clone = startClone(settings)
    await clone.line('tasks assigned', isAssigned)
    logins.push(...(await application.produceLogins(3000, { seed: 2 })))
    await expectExact(application, countOf(logins))

    // Both want the place, until one of them has lost it too often.
    original.signal('SIGCONT')
    const producing = application.produceLogins(6000, { seed: 3, batch: 200, pauseMs: 50 })
    const loser = await firstToEnd([original, clone])
    logins.push(...(await producing))
    expect(await codeOf(loser), loser.tail()).toBe('MEMBER_FENCED')
    expect(original.lines('another join has taken the place of this member: it is taken back')).not.toEqual(
      [],
    )
    await expectExact(application, countOf(logins))
    const winner = loser === original ? clone : original
    expect(await winner.stop(), winner.tail()).toBe(0)
  },
)
