import { describe, expect, it } from 'vitest'
import { aims, outcomeOf } from '../../../bench/report/aims.ts'
import { chartsOf } from '../../../bench/report/charts.ts'
import { formatSpread, formatValue, shortNumber } from '../../../bench/report/format.ts'
import { renderMarkdown } from '../../../bench/report/markdown.ts'
import type { Measurement, Results } from '../../../bench/report/results.ts'
import { svgOf } from '../../../bench/report/write.ts'
import { rows } from '../../../bench/rows/index.ts'

const values = (loginsPerSecond: number, peakRssMB: number) => ({ loginsPerSecond, peakRssMB })
const measurement = (part: Partial<Measurement> & Pick<Measurement, 'system' | 'values'>): Measurement => ({
  ...{ row: 'counts', variant: '', repeat: 1 },
  ...part,
})

function resultsOf(measurements: Measurement[]): Results {
  return {
    startedAt: '2026-01-02T03:04:05.000Z',
    endedAt: '2026-01-02T04:04:05.000Z',
    revision: 'abc1234',
    quick: false,
    repeats: 2,
    logins: 5_000_000,
    machine: { Machine: '2 cores' },
    systems: [
      { name: 'login-stats', title: 'login-stats', version: '1' },
      { name: 'kafka-streams', title: 'Kafka Streams', version: '4.3.0' },
    ],
    skipped: [{ name: 'flink', title: 'Flink SQL', reason: 'no Java' }],
    measurements,
  }
}

const two = resultsOf([
  measurement({ system: 'login-stats', values: values(1_000_000, 200) }),
  measurement({ system: 'login-stats', values: values(1_200_000, 220), repeat: 2 }),
  measurement({ system: 'kafka-streams', values: values(100_000, 1500) }),
  measurement({
    system: 'kafka-streams',
    values: {},
    repeat: 2,
    failure: 'ended with exit code 1:\nat line 2',
  }),
])

describe('outcomeOf', () => {
  const aimAt = (metric: string) => {
    const found = aims.find(
      (aim) => aim.row === 'counts' && aim.rival === 'kafka-streams' && aim.metric === metric,
    )
    if (found === undefined) throw new Error('no such aim')
    return found
  }

  it('compares medians, more being better for throughput', () => {
    expect(outcomeOf(two, aimAt('loginsPerSecond'))).toEqual({
      ...{ ours: 1_100_000, theirs: 100_000, ratio: 11, isMet: true },
    })
  })

  it('compares medians, less being better for memory', () => {
    const outcome = outcomeOf(two, aimAt('peakRssMB'))
    expect(outcome?.ratio).toBeCloseTo(1500 / 210)
    expect(outcome?.isMet).toBe(true)
  })

  it('says so where an aim is missed', () => {
    expect(outcomeOf(two, { ...aimAt('loginsPerSecond'), factor: 12 })?.isMet).toBe(false)
  })

  it('is null where the rival was not measured', () => {
    expect(outcomeOf(two, { ...aimAt('loginsPerSecond'), rival: 'flink' })).toBeNull()
  })

  it('is about rows that exist, measured with the rival', () => {
    for (const aim of aims) {
      const row = rows.find(({ name }) => name === aim.row)
      expect(row?.systems, aim.what).toContain(aim.rival)
    }
  })
})

describe('renderMarkdown', () => {
  it('shows medians with their spread, ratios, aims, failures and what was left out', () => {
    const text = renderMarkdown(two, new Map([['counts', 'throughput.svg']]))
    expect(text).toContain('| counts of a backlog | 1,100 k | 100 k (Kafka Streams) | 11.0 x | 10 x | met |')
    expect(text).toContain('| login-stats | 1,100 k (1,000 k-1,200 k) | 210 MB (200 MB-220 MB) |')
    expect(text).toContain('- counts, kafka-streams, round 2: ended with exit code 1:')
    expect(text).toContain('**Flink SQL** was left out: no Java')
    expect(text).toContain('(plots/throughput.svg)')
    expect(text).not.toContain('NaN')
  })
})

describe('chartsOf', () => {
  it('draws what was measured, with a mark for each system, and nothing else', async () => {
    const charts = chartsOf(two)
    expect(charts.map(({ file }) => file)).toEqual(['throughput.svg', 'memory.svg'])
    for (const { specification } of charts) {
      const svg = await svgOf(specification)
      expect(svg).toMatch(/^<svg /)
      for (const { title } of two.systems) expect(svg).toContain(title)
      expect(svg).not.toContain('NaN')
    }
  })

  it('draws what grows over what it grows with', async () => {
    const grown = resultsOf(
      ['1', '4', '64'].flatMap((variant) => [
        measurement({ row: 'partitions', variant, system: 'login-stats', values: values(1e6, 200) }),
        measurement({ row: 'partitions', variant, system: 'kafka-streams', values: values(1e5, 900) }),
      ]),
    )
    const [chart] = chartsOf(grown)
    expect(chart?.file).toBe('partitions.svg')
    expect(await svgOf(chart!.specification)).toContain('>64<')
  })
})

describe('the plot over time', () => {
  const moment = (seconds: number, backlogLeft: number) => ({
    ...{ seconds, backlogLeft, p50Ms: 12, maxMs: 40 },
    ...{ commitsPerSecond: 8, loginsPerCommit: seconds === 0 ? null : 1000 },
    ...{ largestCommit: seconds === 0 ? null : 1500, rssMB: 200 },
  })
  const course = [moment(0, 5000), moment(0.25, 3000), moment(0.5, 0)]
  const measured = (part: Partial<Measurement>) =>
    measurement({ row: 'hot-partition', system: 'login-stats', values: { backlogP50Ms: 12 }, ...part })

  it('has a panel for each figure, from the first round that has a course', async () => {
    const results = resultsOf([
      measured({ values: {}, failure: 'no' }),
      measured({ repeat: 2, course }),
      measured({ repeat: 3, course: [...course, moment(900, 0)] }),
    ])
    const [chart, ...others] = chartsOf(results)
    expect(others).toEqual([])
    expect(chart?.file).toBe('hot-partition.svg')
    const svg = await svgOf(chart!.specification)
    for (const text of ['Logins of the backlog', 'Latency of live logins', 'Logins per commit', 'memory'])
      expect(svg).toContain(text)
    expect(svg).toContain('login-stats')
    expect(svg).not.toContain('Kafka Streams')
    expect(svg).not.toContain('NaN')
    // Nothing of the third round.
    expect(svg).not.toContain('>900<')
  })

  it('stands below the table of its row', () => {
    const text = renderMarkdown(
      resultsOf([measured({ course })]),
      new Map([['hot-partition', 'hot-partition.svg']]),
    )
    expect(text).toContain('| system | p50 beside the backlog |')
    expect(text).toContain('| login-stats | 12 ms |')
    expect(text).toContain('(plots/hot-partition.svg)')
  })

  it('is not drawn where there is no course', () => {
    expect(chartsOf(resultsOf([measured({})]))).toEqual([])
  })
})

describe('format', () => {
  it.each([
    [1234.5, '1,235'],
    [12.345, '12.3'],
    [0.12345, '0.123'],
    [0, '0.00'],
    [Number.NaN, '-'],
  ])('%d reads %s', (value, text) => {
    expect(shortNumber(value)).toBe(text)
  })

  it('gives each metric its unit', () => {
    expect(formatValue('loginsPerSecond', 1_234_567)).toBe('1,235 k')
    expect(formatValue('p50Ms', 12.4)).toBe('12 ms')
    expect(formatSpread('seconds', { median: 2, min: 1, max: 3, runs: 1 })).toBe('2.00 s')
  })
})
