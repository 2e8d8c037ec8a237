import { describe, expect, test } from 'vitest'
import { alerts, readDashboard } from './files.ts'
import { metrics, prometheusLabels, prometheusMetrics } from './metric-names.ts'
import { usedBy } from './promql.ts'

const dashboard = readDashboard()

/** Where each expression stands, and what it is. */
const expressions: readonly (readonly [where: string, expression: string])[] = [
  ...alerts.map(({ alert, expr }) => [`alert ${alert}`, expr] as const),
  ...dashboard.panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => [`panel ${title}`, expr] as const),
  ),
  ...dashboard.annotations.list.flatMap(({ expr }) =>
    expr === undefined ? [] : [['annotation', expr] as const],
  ),
  ...dashboard.templating.list.flatMap(({ name, definition = '' }) => {
    const [, expression] = /^label_values\((.*), \w+\)$/.exec(definition) ?? []
    return expression === undefined ? [] : [[`variable ${name}`, expression] as const]
  }),
]

/** The labels of a series by its name; null where the program has no such series. */
function labelsOf(series: string): readonly string[] | null {
  if (prometheusMetrics.includes(series)) return prometheusLabels
  const [, base = series, suffix] = /^(.*)_(bucket|sum|count)$/.exec(series) ?? []
  const ofHistogram = suffix !== undefined && metrics[base]?.type === 'histogram' ? metrics[base] : undefined
  if (ofHistogram !== undefined)
    return [...ofHistogram.labels, ...prometheusLabels, ...(suffix === 'bucket' ? ['le'] : [])]
  const metric = metrics[series]
  // A histogram has no series of its own name.
  return metric === undefined || metric.type === 'histogram' ? null : [...metric.labels, ...prometheusLabels]
}

describe('the metrics of dashboard and alerts', () => {
  test('there are expressions to look at', () => {
    expect(expressions.length).toBeGreaterThan(50)
    expect(expressions.every(([, expression]) => usedBy(expression).selectors.length > 0)).toBe(true)
  })

  test.each(expressions)('%s: the program has each metric, with each label', (_where, expression) => {
    const { selectors, grouping } = usedBy(expression)
    const known = new Set<string>()
    for (const { metric, labels } of selectors) {
      const its = labelsOf(metric)
      expect(its, metric).not.toBeNull()
      for (const label of its ?? []) known.add(label)
      for (const label of labels) expect(its, metric).toContain(label)
    }
    for (const label of grouping) expect([...known]).toContain(label)
  })

  test.each(expressions)('%s: rates are taken of what only grows', (_where, expression) => {
    // `rate` of a gauge that only grows and starts anew with its process is right too: the counts of older dashboards are such.
    const grows = ['device_type_count', 'locale_count', 'total_count']
    for (const [, called = '', metric = ''] of expression.matchAll(
      /\b(rate|increase|deriv|changes)\(([a-z_]+)/g,
    )) {
      const isCounter = metrics[metric]?.type === 'counter' || /_(bucket|sum|count)$/.test(metric)
      if (called === 'rate' || called === 'increase')
        expect(isCounter || grows.includes(metric), metric).toBe(true)
    }
  })

  test('every metric of the program is shown', () => {
    const used = new Set(
      expressions.flatMap(([, expression]) =>
        usedBy(expression).selectors.map(({ metric }) => metric.replace(/_(bucket|sum)$/, '')),
      ),
    )
    const countOf = (name: string) => used.has(`${name}_count`) || used.has(name)
    expect(Object.keys(metrics).filter((name) => !countOf(name))).toEqual([])
  })
})

describe('what an expression uses', () => {
  test.each([
    ['up{job="login-stats"} == 0', ['up'], ['job'], []],
    ['sum by (job) (rate(a_total{outcome="x"}[2m])) > 1e3', ['a_total'], ['outcome'], ['job']],
    ['(a unless a offset 1h) or increase(b[1h]) > 0', ['a', 'a', 'b'], [], []],
    ['deriv(sum by (job) (a)[15m:1m]) > 0 and on (job) group_left () b', ['a', 'b'], [], ['job', 'job']],
    [
      'histogram_quantile(0.99, sum by (le) (rate(h_bucket{x=~"$y"}[$__rate_interval])))',
      ['h_bucket'],
      ['x'],
      ['le'],
    ],
    ['a{b="c and d{e}"}', ['a'], ['b'], []],
  ])('%s', (expression, metricNames, labels, grouping) => {
    const used = usedBy(expression)
    expect(used.selectors.map(({ metric }) => metric)).toEqual(metricNames)
    expect(used.selectors.flatMap((selector) => selector.labels)).toEqual(labels)
    expect(used.grouping).toEqual(grouping)
  })
})
