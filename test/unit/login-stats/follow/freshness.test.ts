import { expect, test } from 'vitest'
import { readFresh } from '../../../../src/login-stats/follow/freshness.ts'
import { systemClock } from '../../../../src/system/clock.ts'
import { tableOf } from '../../../support/answering-server.ts'
import { row } from '../../../support/page-rows.ts'

const notRead = { code: 'TABLE_NOT_READ', behaviour: 'retry' }

test('nothing is told of a table that is not complete', async () => {
  const { table, restart, complete } = tableOf([row('total', 'total', 5)])
  const look = () => readFresh(table, systemClock, async (total) => ({ count: total?.count }))
  expect(await look()).toMatchObject({ count: 5, is_complete: true })
  restart()
  await expect(look()).rejects.toMatchObject(notRead)
  complete()
  expect(await look()).toMatchObject({ count: 5, is_complete: true })
})

test('nor of one that is started over while it is looked at, be it complete again, or a row be missing', async () => {
  const { table, restart, complete } = tableOf([])
  const begun = (end: () => unknown) => readFresh(table, systemClock, async () => end() as object)
  await expect(begun(() => restart())).rejects.toMatchObject(notRead)
  complete()
  const fast = () => {
    restart()
    complete()
    return {}
  }
  await expect(begun(fast)).rejects.toMatchObject(notRead)
  const missing = () => {
    restart()
    throw new Error('There is no such row')
  }
  await expect(begun(missing)).rejects.toMatchObject(notRead)
})
