/** While the table is being read, nothing is told of its rows. */
import { afterEach, expect, test } from 'vitest'
import { Summaries } from '../../../../src/login-stats/follow/summary.ts'
import type { Summary } from '../../../../src/login-stats/http/api-schemas.ts'
import { insightsOf } from '../../../../src/login-stats/insights/insights.ts'
import { systemClock } from '../../../../src/system/clock.ts'
import { openAnsweringServer, tableOf } from '../../../support/answering-server.ts'
import { cleanUpAll, cleanUpLater } from '../../../support/clean-ups.ts'
import type { HttpClient } from '../../../support/http-client.ts'
import { row } from '../../../support/page-rows.ts'

afterEach(cleanUpAll)

const rows = [row('locale', 'DE', 3), row('locale', 'FR', 2)]
const summaries = new Summaries(systemClock, [])
const answers = { summary: summaries.of.bind(summaries) }

/** The events so far. */
function follow(client: HttpClient, path: string): { event: string; data: unknown }[] {
  const events: { event: string; data: unknown }[] = []
  const controller = new AbortController()
  cleanUpLater(() => controller.abort())
  const reading = async () => {
    for await (const event of client.events(path, controller.signal)) events.push(event)
  }
  reading().catch(() => undefined)
  return events
}

test('an answer that is begun when the table is started over is refused, to be asked for again', async () => {
  const { table, restart } = tableOf(rows)
  const client = await openAnsweringServer(table, {
    ...answers,
    insights: () =>
      insightsOf({ table, deadLetters: null, rate: { perSecond: null } } as never, systemClock, 'this'),
  })
  // After it was waited for.
  restart()
  for (const path of [
    '/api/table',
    '/api/table/locale:DE',
    '/api/table/no',
    '/api/summary',
    '/api/insights',
  ]) {
    const answer = await client.get(path)
    expect([answer.status, answer.headers.get('retry-after')], path).toEqual([503, '2'])
    expect(await answer.json(), path).toMatchObject({ error: { code: 'TABLE_NOT_READ' } })
  }
})

test('who follows the events is told to ask again once the table is there, and of its rows only then', async () => {
  const { table, restart, complete } = tableOf(rows)
  const client = await openAnsweringServer(table, answers)
  restart()
  const events = follow(client, '/api/stream?events=rows')
  const change = { key: 'locale:DE', row: { ...row('locale', 'DE', 4), key: 'locale:DE' } }
  await expect.poll(() => table.listenerCount('change')).toBe(1)
  table.emit('change', change)
  await systemClock.sleep(600)
  expect(events).toEqual([])
  complete()
  await expect.poll(() => events).toEqual([{ event: 'reload', data: {} }])
  table.emit('change', change)
  await expect.poll(() => events.length).toBe(2)
  restart()
  table.emit('change', change)
  await systemClock.sleep(600)
  expect(events.map(({ event }) => event)).toEqual(['reload', 'rows'])
  complete()
  await expect.poll(() => events.map(({ event }) => event)).toEqual(['reload', 'rows', 'reload'])
})

test('a summary among the events says that the table is being read, and nothing of its rows', async () => {
  const { table, restart } = tableOf([row('total', 'total', 5), ...rows])
  restart()
  const client = await openAnsweringServer(table, answers)
  const events = follow(client, '/api/stream?events=summary')
  await expect.poll(() => events.length).toBe(1)
  const expected: Partial<Summary> = { is_complete: false, total: null, dimensions: [] }
  expect(events[0]?.data).toMatchObject(expected)
})
