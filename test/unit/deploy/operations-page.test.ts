import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { errorTable } from '../../../src/errors.ts'
import { settingList } from '../../../src/login-stats/config/index.ts'
import { readText, root } from './files.ts'
import { metrics } from './metric-names.ts'

const path = 'docs/OPERATIONS.md'
const page = readText(path)

const anchorsOf = (text: string): string[] =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )

describe('docs/OPERATIONS.md', () => {
  test('every link leads to a file that exists, and to a heading in it', () => {
    const links = [...page.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link)
    expect(links.length).toBeGreaterThan(50)
    for (const link of links) {
      const [file = '', anchor] = link.split('#')
      const target = file === '' ? path : join(dirname(path), file)
      expect(existsSync(join(root, target)), link).toBe(true)
      if (anchor !== undefined)
        expect(anchorsOf(readFileSync(join(root, target), 'utf8')), link).toContain(anchor)
    }
  })

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
})
