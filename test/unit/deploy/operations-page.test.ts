import { describe, expect, test } from 'vitest'
import { errorTable } from '../../../src/errors.ts'
import { settingList } from '../../../src/login-stats/config/index.ts'
import { defaultLimits } from '../../../src/login-stats/limits.ts'
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

  test('tells the limits of the HTTP server as they are', () => {
    const [, section = ''] = page.split(/^### Limits of the HTTP server$/m)
    const [text = ''] = section.split(/^#/m)
    /** The second column of the row that begins so. */
    const told = (what: string) =>
      text
        .split('\n')
        .find((line) => line.startsWith(`| ${what}`))
        ?.split(' | ')[1]
    const figure = (value: number) => value.toLocaleString('en')
    const { streamClients, changedRows, scans, waitingScans, rowsInMemory, idleMs, ...others } = defaultLimits
    expect(told('clients of `/api/stream`')).toBe(figure(streamClients))
    expect(told('rows that change between two events')).toBe(figure(changedRows))
    expect(told('looks at all rows at once')).toMatch(new RegExp(`^${scans}, and ${waitingScans} that wait;`))
    expect(told('rows in memory')).toMatch(new RegExp(`^${figure(rowsInMemory)},`))
    expect([told('following the table without a question'), idleMs]).toEqual(['five minutes', 300_000])
    // A new one has its row too.
    expect(others).toEqual({})
  })
})
