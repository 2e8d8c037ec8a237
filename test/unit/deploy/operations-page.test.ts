import { maxHeaderSize } from 'node:http'
import { describe, expect, onTestFinished, test } from 'vitest'
import { errorTable } from '../../../src/errors.ts'
import { settingList } from '../../../src/login-stats/config/index.ts'
import { readyWithinMs } from '../../../src/login-stats/follow/followed-table.ts'
import { drainWithinMs } from '../../../src/login-stats/http/event-sender.ts'
import { HttpListener } from '../../../src/login-stats/http/http-listener.ts'
import { longestParameter } from '../../../src/login-stats/http/server.ts'
import { mostInSummary, mostRows } from '../../../src/login-stats/http/table-routes.ts'
import { defaultLimits } from '../../../src/login-stats/limits.ts'
import { createLogger } from '../../../src/system/logger.ts'
import { readText } from './files.ts'
import { metrics } from './metric-names.ts'

const page = readText('docs/OPERATIONS.md')

describe('docs/OPERATIONS.md', () => {
  test('has a place for every error that stops the processor', () => {
    const [, section = ''] = page.split(/^## When it stops$/m)
    const [text = ''] = section.split(/^## /m)
    // Of the command line and of tests and demo, not of the processor.
    const notOfTheProcessor = [
      'GROUP_ACTIVE',
      'LOCAL_KAFKA_UNAVAILABLE',
      'KAFKAJS_CHANGED',
      'TOPOLOGY_INVALID',
      'OUTPUT_FAILED',
    ]
    const stopping = Object.entries(errorTable)
      .filter(([code, { behaviour }]) => behaviour === 'stop' && !notOfTheProcessor.includes(code))
      .map(([code]) => code)
    for (const code of stopping) expect(text).toContain(code)
  })

  test('names only settings and metrics that exist', () => {
    const words = [...page.matchAll(/`([a-z_A-Z]+)(?:=[^`]*)?`/g)].map(([, word = '']) => word)
    const settings = settingList.flatMap(({ variable, secret }) => [
      variable,
      ...(secret ? [`${variable}_FILE`] : []),
    ])
    const ofOthers = ['PROCESSOR_PORTS', 'SASL_SSL']
    for (const word of words.filter((one) => /^[A-Z]+_[A-Z_]+$/.test(one)))
      expect([...settings, ...ofOthers], word).toContain(word)
    for (const word of words.filter((one) => one.startsWith('login_stats_')))
      expect(Object.keys(metrics), word).toContain(word)
  })

  test('tells the limits of the HTTP server as they are', async () => {
    const [, section = ''] = page.split(/^### Limits of the HTTP server$/m)
    const [text = ''] = section.split(/^#/m)
    const rows = text
      .split('\n')
      .filter((line) => line.startsWith('| '))
      .map((line) => line.slice(2, -2).split(' | '))
      .slice(1)
    const log = createLogger({ level: 'silent' })
    const listener = await HttpListener.open({ host: '127.0.0.1', port: 0, mustHavePort: true, log })
    onTestFinished(() => listener.close())
    const { maxConnections, requestTimeout, headersTimeout, keepAliveTimeout, timeout } = listener.server
    const { streamClients, changedRows, scans, waitingScans, rowsInMemory, idleMs, ...others } = defaultLimits
    const figure = (value: number) => value.toLocaleString('en')
    const seconds = (ms: number) => `${ms / 1000} s`
    expect(
      rows.map(([what = '', limit = '']) => [what.replace(/:.*/, ''), limit.replace(/;.*/, '')]),
    ).toEqual([
      ['open connections', figure(maxConnections)],
      ['a request to arrive, head and body', seconds(requestTimeout)],
      ['a connection between two requests', seconds(keepAliveTimeout)],
      ['an answer that nobody takes', seconds(timeout)],
      ['the URL and the headers of a request', `${maxHeaderSize / 1024} KB`],
      ['a key in the URL', `${figure(longestParameter)} characters`],
      ['clients of `/api/stream`', figure(streamClients)],
      ['looks at all rows at once', `${scans}, and ${waitingScans} that wait`],
      ['rows of an order, `offset` and `limit` together', figure(mostRows)],
      ['rows at each end of each dimension, in `/api/summary`', figure(mostInSummary)],
      ['rows that change between two events of one client', figure(changedRows)],
      ['a client of `/api/stream` that takes nothing', seconds(drainWithinMs)],
      ['rows in memory', `${figure(rowsInMemory)}, about 1 KB each`],
      ['following the table without a question', 'five minutes'],
    ])
    expect(idleMs).toBe(5 * 60_000)
    expect(headersTimeout).toBe(requestTimeout)
    expect(rows.at(-1)?.[2]).toContain(`at most ${seconds(readyWithinMs)};`)
    // A new one has its row too.
    expect(others).toEqual({})
  })
})
