import { closeSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { Application } from '../support/application.ts'
import { killAllInstances, wipes } from '../support/instance.ts'
import { countOf, expectExact } from '../support/oracle.ts'

let application: Application

afterEach(async () => {
  await killAllInstances()
  await application.close()
})

/** LevelDB's folder of the task 1_0. */
function storeOf(task: string): string {
  return join(application.stateDir, application.config.appId, '0', task)
}

/** The largest file of the store with this ending. */
function file(directory: string, ending: string): string {
  const sizes = readdirSync(directory)
    .filter((name) => name.endsWith(ending))
    .map((name) => ({ name, size: readFileSync(join(directory, name)).length }))
    .toSorted((a, b) => b.size - a.size)
  expect(sizes.length).toBeGreaterThan(0)
  return join(directory, sizes[0]?.name ?? '')
}

function flipByte(path: string, share: number): void {
  const bytes = readFileSync(path)
  const at = Math.floor(bytes.length * share)
  const handle = openSync(path, 'r+')
  writeSync(handle, Buffer.from([(bytes[at] ?? 0) ^ 0x55]), 0, 1, at)
  closeSync(handle)
}

interface Damage {
  readonly kind: string
  readonly reason: string
  /** Clean stop, which writes tables, or kill, which leaves the log. */
  readonly ending: 'kill' | 'stop'
  inflict(directory: string): void
}

const damages: readonly Damage[] = [
  {
    kind: 'a flipped byte in the log',
    reason: 'damaged',
    ending: 'kill',
    inflict: (directory) => flipByte(file(directory, '.log'), 0.4),
  },
  {
    kind: 'a flipped byte in a table',
    reason: 'damaged',
    ending: 'stop',
    inflict: (directory) => flipByte(file(directory, '.ldb'), 0.3),
  },
  {
    kind: 'a missing CURRENT',
    reason: 'damaged',
    ending: 'kill',
    inflict: (directory) => rmSync(join(directory, 'CURRENT')),
  },
  {
    kind: 'the store of another task in its place',
    reason: 'foreign',
    ending: 'stop',
    inflict: (directory) => {
      rmSync(directory, { recursive: true })
      renameSync(storeOf('1_1'), directory)
    },
  },
]

test.each(damages)(
  '$kind is detected; the store is wiped and restored, and the counts are exact',
  async (damage) => {
    application = new Application('damage')
    await application.createInput(2)
    const first = application.start()
    const logins = await application.produceLogins(20_000)
    await expectExact(application, countOf(logins))
    if (damage.ending === 'kill') await first.kill()
    else {
      await first.stop()
      // A second session: opening writes what the first has left in its log into a table.
      const second = application.start()
      logins.push(...(await application.produceLogins(5000, { seed: 2 })))
      await expectExact(application, countOf(logins))
      await second.stop()
    }
    damage.inflict(storeOf('1_0'))
    const repaired = application.start()
    const more = await application.produceLogins(5000, { seed: 3 })
    await expectExact(application, countOf([...logins, ...more]))
    expect(wipes(repaired)).toContainEqual({ task: '1_0', reason: damage.reason })
    expect(await repaired.stop()).toBe(0)
  },
)
