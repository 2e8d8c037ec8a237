import { describe, expect, test } from 'vitest'
import { dashboardPath, panelsThatMayBeEmpty, readDashboard, readText, readYaml } from './files.ts'

const dashboard = readDashboard()
const drawn = dashboard.panels.filter(({ type }) => type !== 'row' && type !== 'alertlist')

describe('the dashboard', () => {
  test('is for any Prometheus: a variable says which', () => {
    expect(dashboard.templating.list.find(({ type }) => type === 'datasource')?.name).toBe('datasource')
    for (const { datasource, targets = [] } of drawn) {
      expect(datasource).toEqual({ type: 'prometheus', uid: `\${datasource}` })
      for (const target of targets) expect(target.datasource).toEqual(datasource)
    }
  })

  test.each(drawn)(
    '$title has a description, a unit and a query',
    ({ description = '', fieldConfig, targets = [] }) => {
      expect(description).toMatch(/\.$/)
      expect(fieldConfig?.defaults.unit ?? '').not.toBe('')
      expect(targets.length).toBeGreaterThan(0)
      for (const { expr } of targets) expect(expr).toContain('job="$job"')
    },
  )

  test.each([...panelsThatMayBeEmpty, 'Latency, p99', 'Behind'])(
    '%s says what it means that there is nothing, in place of "No data"',
    (title) => {
      const panel = drawn.find((one) => one.title === title)
      expect(panel?.fieldConfig?.defaults.noValue ?? '').not.toBe('')
    },
  )

  test('panels have titles and ids of their own, and do not cover each other', () => {
    const { panels } = dashboard
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length)
    const taken = new Map<string, string>()
    for (const { title, gridPos } of panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.get(`${x},${y}`), `${title} at ${x},${y}`).toBeUndefined()
          taken.set(`${x},${y}`, title)
        }
    }
  })

  test('shows rate, distribution, lag, latency, commits and restores', () => {
    const titles = drawn.map(({ title }) => title)
    for (const title of ['Logins', 'By device type', 'By locale', 'Lag in records', 'Lag in time', 'Latency'])
      expect(titles).toContain(title)
    for (const title of ['Transactions', 'Duration of a commit', 'Restore: records left', 'Rebalances'])
      expect(titles).toContain(title)
  })

  test('is found where Grafana is told to look', () => {
    const { providers } = readYaml('deploy/grafana/provisioning/dashboards/login-stats.yml') as {
      providers: { options: { path: string } }[]
    }
    const { services } = readYaml('compose.yaml') as {
      services: { grafana: { volumes: string[]; environment: Record<string, string> } }
    }
    const { volumes, environment } = services.grafana
    const [provider] = providers
    const mounted = volumes.find((volume) => volume.split(':')[1] === provider?.options.path)
    expect(mounted?.split(':')[0]).toBe('./deploy/grafana/dashboards')
    expect(environment.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH).toBe(
      `${provider?.options.path}/login-stats.json`,
    )
    expect(dashboardPath).toBe('deploy/grafana/dashboards/login-stats.json')
  })

  test('ends with a newline and is indented, so that a change can be read', () => {
    const text = readText(dashboardPath)
    expect(text).toBe(`${JSON.stringify(JSON.parse(text), null, 2)}\n`)
  })
})
