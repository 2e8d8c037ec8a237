/**
 * What Prometheus, Grafana and the alerts get to see of a running application: a real Prometheus scrapes two instances as
 * deploy/prometheus says, and answers every expression of the dashboard.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { freePorts } from '../../src/local-kafka/free-ports.ts'
import { systemClock } from '../../src/system/clock.ts'
import { Application } from '../support/application.ts'
import { cleanUpAll, cleanUpLater } from '../support/clean-ups.ts'
import { HttpClient, withHttp } from '../support/http-client.ts'
import { haveSettled, killAllInstances } from '../support/instance.ts'
import { promtool, runPromtool } from '../support/promtool.ts'
import { findTool } from '../support/tools.ts'
import { alerts, panelsThatMayBeEmpty, readDashboard, readYaml, root } from '../unit/deploy/files.ts'
import { metrics } from '../unit/deploy/metric-names.ts'

const prometheus = findTool('prometheus')

/** Series that come only with what they tell of: a restore, an error, an HTTP request. */
const comeLater = [
  'login_stats_task_errors_total',
  'login_stats_standby_lag_records',
  'login_stats_restore_remaining_records',
  'login_stats_restore_remaining_seconds',
]

afterEach(async () => {
  await killAllInstances()
  await cleanUpAll()
})

interface Series {
  readonly metric: Readonly<Record<string, string>>
  readonly value: readonly [number, string]
}

class Prometheus {
  readonly #url: string

  private constructor(url: string) {
    this.#url = url
  }

  /** With the rules and the job of deploy/prometheus; only where the instances are, and how often, is the test's own. */
  static async start(command: string, targets: readonly string[]): Promise<Prometheus> {
    const directory = mkdtempSync(join(tmpdir(), 'login-stats-prometheus-'))
    const { scrape_configs, ...rest } = readYaml('deploy/prometheus/prometheus.yml') as {
      scrape_configs: { job_name: string; dns_sd_configs: unknown }[]
    }
    const [{ dns_sd_configs: _, ...job }] = scrape_configs as [{ job_name: string; dns_sd_configs: unknown }]
    const file = join(directory, 'prometheus.yml')
    writeFileSync(
      file,
      stringify({
        ...rest,
        global: { scrape_interval: '1s', evaluation_interval: '1s' },
        rule_files: [join(root, 'deploy/prometheus/alerts.yml')],
        scrape_configs: [{ ...job, static_configs: [{ targets }] }],
      }),
    )
    const [port] = await freePorts(1)
    const child = spawn(
      command,
      [
        `--config.file=${file}`,
        `--storage.tsdb.path=${join(directory, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: 'ignore' },
    )
    const ended = new Promise((resolve) => child.once('close', resolve))
    cleanUpLater(async () => {
      child.kill('SIGKILL')
      await ended
      rmSync(directory, { recursive: true, force: true })
    })
    return new Prometheus(`http://127.0.0.1:${port}`)
  }

  async get<T>(path: string, query: Readonly<Record<string, string>> = {}): Promise<T> {
    const answer = await fetch(`${this.#url}/api/v1/${path}?${new URLSearchParams(query)}`)
    const { status, data, error } = (await answer.json()) as { status: string; data: T; error?: string }
    if (status !== 'success') throw new Error(`${path} ${JSON.stringify(query)}: ${error}`)
    return data
  }

  async query(expression: string): Promise<readonly Series[]> {
    return (await this.get<{ result: readonly Series[] }>('query', { query: expression })).result
  }

  /** Resolves with the answer when it fits; Prometheus need not be up yet. */
  async until(expression: string, fits: (series: readonly Series[]) => boolean): Promise<void> {
    const deadline = systemClock.monotonic() + 60_000
    let last: unknown = null
    while (systemClock.monotonic() < deadline) {
      try {
        const series = await this.query(expression)
        if (fits(series)) return
        last = series
      } catch (error) {
        last = error
      }
      await systemClock.sleep(250)
    }
    throw new Error(`${expression} did not come to fit: ${JSON.stringify(last) ?? last}`)
  }
}

const firstValue = (series: readonly Series[]): number => Number(series[0]?.value[1])

/** As Grafana would ask it. */
function asked(expression: string): string {
  return expression
    .replaceAll('$job', 'login-stats')
    .replaceAll('$instance', '.*')
    .replaceAll('$__rate_interval', '15s')
}

describe(`monitoring${prometheus.reason}${promtool.reason}`, () => {
  const isThere = prometheus.command !== null && promtool.command !== null

  test.skipIf(!isThere)('Prometheus sees every metric, and can answer every panel and alert', async () => {
    const application = new Application('monitoring', {
      ...withHttp,
      STREAM_THREADS: '2',
      INSIGHTS_INTERVAL: '1s',
    })
    cleanUpLater(() => application.close())
    await application.createInput(4)
    const instances = [application.start(), application.start()]
    const clients = await Promise.all(instances.map((instance) => HttpClient.of(instance)))
    const server = await Prometheus.start(
      prometheus.command ?? '',
      clients.map(({ url }) => new URL(url).host),
    )
    await haveSettled(instances, 8)
    await server.until('sum(up{job="login-stats"})', (series) => firstValue(series) === 2)

    const logins = await application.produceLogins(8000, { invalidShare: 0.05, batch: 400, pauseMs: 200 })
    const valid = logins.filter((login) => login.valid).length
    await application.counted()
    await server.until('sum(total_count{record_type="valid"})', (series) => firstValue(series) === valid)
    await server.until('sum(login_stats_logins_total)', (series) => firstValue(series) === logins.length)

    for (const client of clients) {
      const text = await client.text('/metrics')
      const { exitCode, output } = runPromtool(['check', 'metrics'], text)
      // It keeps names that end in _count for histograms, and the label `quantile` for summaries; then it exits with 3.
      const complaints = output
        .split('\n')
        .filter(
          (line) =>
            !/^(device_type|locale|total)_count |^login_stats_event_loop_lag_seconds .*"quantile"|^nodejs_|^$/.test(
              line,
            ),
        )
      expect(complaints, output).toEqual([])
      expect([0, 3]).toContain(exitCode)
      const missing = Object.entries(metrics)
        .filter(([name, { type }]) => !comeLater.includes(name) && !text.includes(`# TYPE ${name} ${type}\n`))
        .map(([name]) => name)
      expect(missing).toEqual([])
    }

    // Every label that we rely on is there, and no other.
    for (const [name, { type, labels }] of Object.entries(metrics)) {
      const [series] = await server.query(type === 'histogram' ? `${name}_count` : name)
      if (series === undefined) expect(comeLater).toContain(name)
      else
        expect(Object.keys(series.metric).toSorted(), name).toEqual(
          ['__name__', 'instance', 'job', ...labels].toSorted(),
        )
    }

    for (const { title, targets = [] } of readDashboard().panels)
      for (const { expr } of targets) {
        const series = await server.query(asked(expr))
        if (!panelsThatMayBeEmpty.includes(title))
          expect(series.length, `${title}: ${expr}`).toBeGreaterThan(0)
      }

    const { groups } = await server.get<{
      groups: { rules: { name: string; health: string; lastError?: string; state: string }[] }[]
    }>('rules')
    const rules = groups.flatMap((group) => group.rules)
    expect(rules.map(({ name }) => name)).toEqual(alerts.map(({ alert }) => alert))
    for (const { name, health, lastError } of rules) expect(health, `${name}: ${lastError}`).toBe('ok')
    expect(rules.filter(({ state }) => state === 'firing').map(({ name }) => name)).toEqual([])
  })
})
