import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { promtool, runPromtool } from '../../support/promtool.ts'
import { alerts, alertsPath, readText, readYaml, root } from './files.ts'
import { usedBy } from './promql.ts'

interface RuleTest {
  readonly input_series: readonly { readonly series: string; readonly values: string }[]
  readonly alert_rule_test: readonly {
    readonly alertname: string
    readonly eval_time: string
    readonly exp_alerts?: readonly unknown[]
  }[]
}

const ruleTests = readYaml('deploy/prometheus/alerts.test.yml') as { readonly tests: readonly RuleTest[] }

const page = readText('docs/OPERATIONS.md')

/** The name that a heading has in a link. */
const anchor = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, '')
    .replaceAll(' ', '-')

const headings = [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading)

describe('alerts', () => {
  test('have names of their own, a severity, and say what happens', () => {
    expect(alerts.length).toBeGreaterThan(10)
    expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length)
    for (const { alert, labels, annotations } of alerts) {
      expect(alert).toMatch(/^LoginStats[A-Za-z]+$/)
      expect(['critical', 'warning', 'info'], alert).toContain(labels.severity)
      expect(Object.keys(annotations).toSorted(), alert).toEqual(['description', 'runbook', 'summary'])
    }
  })

  test.each(alerts)('$alert looks at the instances of one job alone', ({ expr }) => {
    const { selectors } = usedBy(expr)
    expect(selectors.length).toBeGreaterThan(0)
    for (const { metric, labels } of selectors) expect(labels, metric).toContain('job')
    expect(expr.match(/\bjob="login-stats"/g), expr).toHaveLength(selectors.length)
  })

  test.each(alerts)('$alert names its own heading in docs/OPERATIONS.md', ({ alert, annotations }) => {
    expect(annotations.runbook).toBe(`docs/OPERATIONS.md#${anchor(alert)} in the repository of login-stats`)
    expect(headings.filter((heading) => anchor(heading) === anchor(alert))).toEqual([alert])
  })

  test.each(alerts)(
    '$alert: its paragraph tells meaning, what to look at and what to do',
    ({ alert, labels }) => {
      const [, section = ''] = page.split(new RegExp(`^#+ ${alert}$`, 'm'))
      const [text = ''] = section.split(/^#/m)
      expect(text).toContain(`*${labels.severity}*`)
      for (const part of ['**Means:**', '**Look at:**', '**Do:**']) expect(text).toContain(part)
    },
  )

  test('docs/OPERATIONS.md has no paragraph about an alert that does not exist', () => {
    const told = headings.filter((heading) => heading.startsWith('LoginStats'))
    expect(told.toSorted()).toEqual(alerts.map(({ alert }) => alert).toSorted())
  })

  test('each has a test in which it fires and one in which it does not', () => {
    const cases = ruleTests.tests.flatMap(({ alert_rule_test }) => alert_rule_test)
    const named = (fires: boolean) =>
      new Set(
        cases
          .filter(({ exp_alerts = [] }) => exp_alerts.length > 0 === fires)
          .map(({ alertname }) => alertname),
      )
    const all = new Set(alerts.map(({ alert }) => alert))
    expect(named(true)).toEqual(all)
    expect(named(false)).toEqual(all)
  })
})

describe(`promtool${promtool.reason}`, { timeout: 60_000 }, () => {
  const check = (...args: string[]) => {
    const { exitCode, output } = runPromtool(args)
    expect(exitCode, output).toBe(0)
    return output
  }

  test.skipIf(promtool.command === null)('finds the configuration and its rules right', () => {
    expect(check('check', 'config', join(root, 'deploy/prometheus/prometheus.yml'))).toContain('SUCCESS')
  })

  test.skipIf(promtool.command === null)('finds nothing to object to in the rules', () => {
    expect(check('check', 'rules', '--lint=all', '--lint-fatal', join(root, alertsPath))).toContain(
      `${alerts.length} rules found`,
    )
  })

  test.skipIf(promtool.command === null)('sees each alert fire when it must, and only then', () => {
    check('test', 'rules', join(root, 'deploy/prometheus/alerts.test.yml'))
  })

  test.skipIf(promtool.command === null)('sees none fire for what another application does', () => {
    const directory = mkdtempSync(join(tmpdir(), 'login-stats-rules-'))
    try {
      const file = join(directory, 'another.test.yml')
      writeFileSync(
        file,
        stringify({
          ...ruleTests,
          rule_files: [join(root, alertsPath)],
          tests: ruleTests.tests.map(ofAnother),
        }),
      )
      check('test', 'rules', file)
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})

/** The same series, told by another job. That no instance of ours is there is the one thing that is true then. */
function ofAnother({ input_series, alert_rule_test, ...rest }: RuleTest): RuleTest {
  return {
    ...rest,
    input_series: input_series.map(({ series, values }) => ({
      series: series.replace('job="login-stats"', 'job="another"'),
      values,
    })),
    alert_rule_test: alert_rule_test
      .filter(({ alertname }) => alertname !== 'LoginStatsNoInstance')
      .map(({ alertname, eval_time }) => ({ alertname, eval_time })),
  }
}
