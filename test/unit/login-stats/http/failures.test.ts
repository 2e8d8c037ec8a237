import { request } from 'node:http'
import { connect } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { CodedError, type ErrorCode } from '../../../../src/errors.ts'
import type { Log } from '../../../../src/ports/log.ts'
import { openAnsweringServer, tableOf } from '../../../support/answering-server.ts'
import { cleanUpAll } from '../../../support/clean-ups.ts'
import type { HttpClient } from '../../../support/http-client.ts'

afterEach(cleanUpAll)

/** What comes for bytes that a well-behaved client would not send. */
function sent(client: HttpClient, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(client.url).port), '127.0.0.1')
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString()
    })
    socket.on('end', () => resolve(text)).on('error', reject)
    socket.write(bytes)
  })
}

test('whatever is refused is told as JSON with a code and a message of our own', async () => {
  const client = await openAnsweringServer(tableOf([]).table)
  const long = 'x'.repeat(5000)
  const raw: readonly (readonly [string, number])[] = [
    ['BREW /api/table HTTP/1.1\r\nhost: localhost\r\n\r\n', 400],
    ['no http at all\r\n\r\n', 400],
    [`GET /${'x'.repeat(20_000)} HTTP/1.1\r\nhost: localhost\r\n\r\n`, 431],
    [`GET /api/table/${long} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`, 414],
    ['GET /api/table/%zz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n', 400],
  ]
  for (const [bytes, status] of raw) {
    const [head = '', body = ''] = (await sent(client, bytes)).split('\r\n\r\n')
    expect(head.split(' ')[1], bytes.slice(0, 40)).toBe(String(status))
    expect(head.toLowerCase()).toContain('cache-control: no-store')
    expect(body.length).toBeLessThan(200)
    expect(JSON.parse(body)).toMatchObject({ error: { code: 'BAD_REQUEST', message: expect.any(String) } })
  }
})

/** By node:http, for fetch does not send all methods. */
function asked(
  client: HttpClient,
  method: string,
  path: string,
): Promise<{ status: number; allow: string; body: string }> {
  return new Promise((resolve, reject) => {
    request(`${client.url}${path}`, { method }, (answer) => {
      let body = ''
      answer.on('data', (chunk) => {
        body += chunk
      })
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, allow: answer.headers.allow ?? '', body }),
      )
    })
      .on('error', reject)
      .end(method === 'POST' ? '<xml/>' : undefined)
  })
}

test('a method that is not allowed is told those that are', async () => {
  const client = await openAnsweringServer(tableOf([]).table)
  for (const method of ['POST', 'OPTIONS', 'DELETE', 'PROPFIND', 'TRACE']) {
    const { status, allow, body } = await asked(client, method, '/api/table')
    expect([method, status, allow]).toEqual([method, 405, 'GET, HEAD'])
    const { error } = JSON.parse(body) as { error: { code: string; message: string } }
    expect(error.code).toBe('METHOD_NOT_ALLOWED')
    expect(error.message).not.toContain('no such resource')
  }
  expect(await asked(client, 'HEAD', '/api/stream')).toMatchObject({ status: 405, allow: 'GET' })
})

test('answers are not kept, nor taken for what they are not; the description has all that may come', async () => {
  const client = await openAnsweringServer(tableOf([]).table)
  for (const path of [
    '/api/table',
    '/livez',
    '/metrics',
    '/openapi.json',
    '/nothing',
    '/api/table?limit=x',
  ]) {
    const { headers } = await client.get(path)
    expect([headers.get('cache-control'), headers.get('x-content-type-options')], path).toEqual([
      'no-store',
      'nosniff',
    ])
  }
  expect((await client.get('/')).headers.get('cache-control')).toBe('no-cache')
  const { paths } = await client.json<{
    paths: Record<string, Record<string, { responses: Record<string, object> }>>
  }>('/openapi.json')
  expect(Object.keys(paths)).toContain('/metrics')
  for (const [path, methods] of Object.entries(paths)) {
    expect(Object.keys(methods), path).toEqual(['get'])
    expect(Object.keys(methods.get?.responses ?? {}), path).toEqual(
      expect.arrayContaining(['405', '421', '500', '503']),
    )
  }
})

test('what cannot be answered while the process starts or reads the table is no warning; what else cannot be is', async () => {
  const lines: string[] = []
  const tell =
    (level: string): Log['warn'] =>
    (fields) =>
      void lines.push([level, (fields as { error?: CodedError }).error?.code].join(' '))
  const log: Log = {
    ...{ debug: tell('debug'), info: tell('info'), warn: tell('warn'), error: tell('error') },
    child: () => log,
  }
  const { table, restart } = tableOf([])
  let code: ErrorCode = 'NOT_STARTED'
  const tasks = () => Promise.reject(new CodedError(code, { operation: 'answer' }))
  const readiness = () => ({ status: 'not ready' as const, reasons: ['It restores.'] })
  const client = await openAnsweringServer(table, { tasks, readiness }, log)
  lines.length = 0
  restart()
  const statuses: number[] = []
  for (const path of ['/readyz', '/api/table', '/api/tasks']) statuses.push((await client.get(path)).status)
  code = 'KAFKA_UNREACHABLE'
  statuses.push((await client.get('/api/tasks')).status)
  expect(statuses).toEqual([503, 503, 503, 503])
  expect(lines).toEqual(['debug TABLE_NOT_READ', 'debug NOT_STARTED', 'warn KAFKA_UNREACHABLE'])
})
