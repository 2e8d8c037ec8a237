import { afterEach, expect, test } from 'vitest'
import type { Rows } from '../../../../src/login-stats/http/api-schemas.ts'
import { openAnsweringServer, tableOf } from '../../../support/answering-server.ts'
import { cleanUpAll } from '../../../support/clean-ups.ts'
import type { HttpClient } from '../../../support/http-client.ts'
import { rowOf } from '../../../support/written-table.ts'

afterEach(cleanUpAll)

const rows = [
  { ...rowOf('total', 3), rolling: { '1m': 1, '5m': 2, '7d': 3 } },
  rowOf('locale:DE', 3),
  rowOf('locale+device_type:DE+ios', 3),
  rowOf('old one:x', 1),
]

async function refused(client: HttpClient, path: string): Promise<string> {
  const answer = await client.get(path)
  const { error } = (await answer.json()) as { error: { code: string; message: string } }
  expect([answer.status, error.code], path).toEqual([400, 'BAD_REQUEST'])
  return error.message
}

test('a window or a dimension that there is not is refused with those that there are, and costs no look at the rows', async () => {
  const { table, looks } = tableOf(rows)
  const client = await openAnsweringServer(table)
  for (const path of ['/api/table?order=-rolling.7m', '/api/summary?window=nope', '/api/stream?window=nope'])
    expect(await refused(client, path)).toContain('It has: 1m, 5m, 7d.')
  for (const path of ['/api/table?dimension=nope', '/api/stream?dimension=nope'])
    expect(await refused(client, path)).toContain('It has: locale, locale+device_type, total, old one.')
  expect(looks()).toBe(0)
  expect((await client.get('/api/table?order=-rolling.7d')).status).toBe(200)
})

test('a combined dimension is found whether its plus sign is encoded or not', async () => {
  const client = await openAnsweringServer(tableOf(rows).table)
  const keys = async (name: string) =>
    (await client.json<Rows>(`/api/table?dimension=${name}`)).rows.map(({ key }) => key)
  expect(await keys('locale+device_type')).toEqual(['locale+device_type:DE+ios'])
  expect(await keys('locale%2Bdevice_type')).toEqual(['locale+device_type:DE+ios'])
  expect(await keys('old+one')).toEqual(['old one:x'])
  expect(await keys('old%20one')).toEqual(['old one:x'])
})

test('of an empty table nobody knows what it will have', async () => {
  const client = await openAnsweringServer(tableOf([]).table)
  expect((await client.json<Rows>('/api/table?dimension=nope&order=rolling.7m')).rows).toEqual([])
})
