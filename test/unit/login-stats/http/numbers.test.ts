import { afterEach, expect, test } from 'vitest'
import { openAnsweringServer, tableOf } from '../../../support/answering-server.ts'
import { cleanUpAll } from '../../../support/clean-ups.ts'

afterEach(cleanUpAll)

test('a number in a query is digits alone, within its limits', async () => {
  const client = await openAnsweringServer(tableOf([]).table)
  for (const wrong of ['', '%20', '0x2', '1e3', '-1', '+1', '1.5', '10001', '9'.repeat(30), '1&limit=2']) {
    const answer = await client.get(`/api/table?limit=${wrong}`)
    expect([answer.status, await answer.json()], wrong).toMatchObject([
      400,
      { error: { code: 'BAD_REQUEST' } },
    ])
  }
  for (const right of ['0', '007', '9000'])
    expect((await client.get(`/api/table?limit=${right}`)).status).toBe(200)
})

test('the description says that numbers are numbers', async () => {
  const client = await openAnsweringServer(tableOf([]).table)
  const { paths } = await client.json<{
    paths: Record<string, { get: { parameters: { name: string; schema: object; required?: boolean }[] } }>
  }>('/openapi.json')
  const limit = paths['/api/table']?.get.parameters.find(({ name }) => name === 'limit')
  expect(limit?.schema).toMatchObject({ type: 'integer', minimum: 0, maximum: 10_000 })
  expect(limit?.required ?? false).toBe(false)
})
