import { afterEach, expect, test } from 'vitest'
import { CodedError } from '../../../../src/errors.ts'
import type { Tasks } from '../../../../src/login-stats/http/api-schemas.ts'
import { openAnsweringServer, tableOf } from '../../../support/answering-server.ts'
import { cleanUpAll } from '../../../support/clean-ups.ts'

afterEach(cleanUpAll)

test('events that cannot begin are refused as any other answer', async () => {
  const client = await openAnsweringServer(tableOf([]).table, {
    begin: () => Promise.reject(new CodedError('TABLE_NOT_READ', { operation: 'follow the table' })),
  })
  const answer = await client.get('/api/stream')
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '2'])
  expect(await answer.json()).toMatchObject({ error: { code: 'TABLE_NOT_READ' } })
  expect(await client.text('/metrics')).toMatch(/^login_stats_stream_clients 0$/m)
})

test('who follows rows is told first to ask for all of them, on each connection; who does not is not', async () => {
  const { table } = tableOf([])
  const client = await openAnsweringServer(table, { tasks: async () => ({}) as Tasks })
  const first = async (path: string) => {
    const controller = new AbortController()
    try {
      for await (const { event } of client.events(path, controller.signal)) return event
    } finally {
      controller.abort()
    }
    return null
  }
  for (const path of ['/api/stream', '/api/stream', '/api/stream?events=tasks,rows'])
    expect(await first(path)).toBe('reload')
  expect(await first('/api/stream?events=tasks')).toBe('tasks')
})

test('HEAD does not wait for events, and holds no place', async () => {
  const client = await openAnsweringServer(tableOf([]).table)
  const answer = await client.get('/api/stream', { method: 'HEAD', signal: AbortSignal.timeout(20_000) })
  expect(answer.ok).toBe(false)
  expect(await client.text('/metrics')).toMatch(/^login_stats_stream_clients 0$/m)
})

test('the description has every event with what it says', async () => {
  const client = await openAnsweringServer(tableOf([]).table)
  const { paths } = await client.json<{
    paths: Record<
      string,
      { get: { responses: Record<string, { content: Record<string, { schema: object }> }> } }
    >
  }>('/openapi.json')
  const events = JSON.stringify(
    paths['/api/stream']?.get.responses['200']?.content['text/event-stream']?.schema,
  )
  for (const part of ['reload', 'rows', 'summary', 'tasks', 'deleted', 'rate_per_second', 'group_state'])
    expect(events).toContain(`"${part}"`)
})
