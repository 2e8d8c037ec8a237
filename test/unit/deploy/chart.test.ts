import { cpSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { loadConfig, settingList } from '../../../src/login-stats/config/index.ts'
import {
  chart,
  containerOf,
  helm,
  kubeVersion,
  one,
  render,
  runHelm,
  type Variable,
  valueFiles,
} from './chart.ts'
import { type AlertFile, alerts, alertsPath, dashboardPath, readText, readYaml, root } from './files.ts'

describe('the chart', () => {
  test('has the version of the package as that of the application', () => {
    const { appVersion } = readYaml('deploy/helm/login-stats/Chart.yaml') as { appVersion: string }
    expect(appVersion).toBe(JSON.parse(readText('package.json')).version)
  })

  test('has the alerts and the dashboard, and no copies of them', () => {
    expect(realpathSync(join(chart, 'files/alerts.yml'))).toBe(realpathSync(join(root, alertsPath)))
    expect(realpathSync(join(chart, 'files/dashboard.json'))).toBe(realpathSync(join(root, dashboardPath)))
  })

  test('lets every setting be set, by a value of its own or in `config`', () => {
    const schema = JSON.parse(readText('deploy/helm/login-stats/values.schema.json'))
    const inConfig = Object.keys(schema.properties.config.properties)
    const templates = ['statefulset.yaml', '_pod.tpl'].map((file) =>
      readText(`deploy/helm/login-stats/templates/${file}`),
    )
    const own = [...templates.join('').matchAll(/- name: ([A-Z][A-Z_]+)$/gm)].map(([, name = '']) =>
      name.replace(/_FILE$/, ''),
    )
    for (const { variable } of settingList) expect([...inConfig, ...own], variable).toContain(variable)
    // What the chart sets by itself must not be set a second time.
    expect(inConfig.filter((name) => own.includes(name))).toEqual([])
  })
})

describe(`the chart, rendered by helm${helm.reason}`, { timeout: 60_000 }, () => {
  const it = test.skipIf(helm.command === null)

  it.each(valueFiles)('%s: lint finds nothing', (values) => {
    const { exitCode, output } = runHelm('lint', '--strict', chart, '--values', join(chart, 'ci', values))
    expect(exitCode, output).toBe(0)
  })

  it.each(valueFiles)('%s: the program takes the settings that the pod gets', (values) => {
    const secrets = mkdtempSync(join(tmpdir(), 'login-stats-chart-'))
    try {
      const file = join(secrets, 'secret')
      writeFileSync(file, 'a secret of more than sixteen characters')
      const { manifests } = render(values)
      const variables: Variable[] = containerOf(manifests).env
      const environment = Object.fromEntries(
        variables.map(({ name, value }) => [name, name.endsWith('_FILE') ? file : value]),
      )
      const config = loadConfig(environment)
      expect(config.stateDir).toBe('/state')
      expect(config.leaveGroupOnStop).toBe(['hpa-values.yaml', 'mutual-tls-values.yaml'].includes(values))
      expect(config.sessionTimeoutMs).toBe(60_000)
    } finally {
      rmSync(secrets, { recursive: true })
    }
  })

  it.each(valueFiles)('%s: the pod runs without rights, and writes to its volume alone', (values) => {
    const { manifests } = render(values)
    const { spec } = one(manifests, 'StatefulSet').spec.template
    expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 65532, fsGroup: 65532 })
    expect(spec.automountServiceAccountToken).toBe(false)
    // Else a Service of this name would put LOGIN_STATS_* into the environment, at which the program refuses to start.
    expect(spec.enableServiceLinks).toBe(false)
    const [container] = spec.containers
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    const writable = container.volumeMounts.filter(
      ({ readOnly }: { readOnly?: boolean }) => readOnly !== true,
    )
    expect(writable).toEqual([{ name: 'state', mountPath: '/state' }])
  })

  it.each(valueFiles)('%s: services, budget, network and pods mean the same pods', (values) => {
    const { manifests } = render(values)
    const { selector, template, serviceName } = one(manifests, 'StatefulSet').spec
    const { labels } = template.metadata
    // The check's pods are others, with a policy of their own.
    const ofInstances = manifests.filter(({ metadata }) => !metadata.name.endsWith('-verify'))
    const selectors = ofInstances.flatMap(({ kind, spec }) => {
      if (kind === 'Service') return [spec.selector]
      if (kind === 'PodDisruptionBudget') return [spec.selector.matchLabels]
      return kind === 'NetworkPolicy' ? [spec.podSelector.matchLabels] : []
    })
    expect(selectors.length).toBeGreaterThan(1)
    for (const each of [...selectors, selector.matchLabels]) expect(labels).toMatchObject(each)
    expect(one(manifests, 'Service', serviceName).spec.clusterIP).toBe('None')
  })

  it.each(valueFiles)(
    '%s: the check has the settings of the instances, no more rights, and is none of them',
    (values) => {
      const { manifests } = render(values)
      const { suspend, jobTemplate } = one(manifests, 'CronJob').spec
      expect(suspend).toBe(values !== 'secured-values.yaml')
      const { spec, metadata } = jobTemplate.spec.template
      const { template, selector } = one(manifests, 'StatefulSet').spec
      expect(metadata.labels).not.toMatchObject(selector.matchLabels)
      expect(spec.securityContext).toEqual(template.spec.securityContext)
      const [check] = spec.containers
      const processor = containerOf(manifests)
      expect(check.args[0]).toBe('verify')
      expect(check.securityContext).toEqual(processor.securityContext)
      const ofInstances = ['POD_NAME', 'STATE_DIR', 'STREAM_THREADS', 'LEAVE_GROUP_ON_STOP']
      const settings = (variables: Variable[]) =>
        variables.filter(({ name }) => !ofInstances.includes(name) && !name.startsWith('HTTP_'))
      expect(check.env).toEqual(settings(processor.env))
      // All that it mounts are secrets.
      const mounted = (mounts: { name: string }[] = []) => mounts.map(({ name }) => name).toSorted()
      expect(mounted(check.volumeMounts)).toEqual(mounted(spec.volumes))
      expect(mounted(check.volumeMounts)).toEqual(
        mounted(processor.volumeMounts).filter((name) => name !== 'state'),
      )
      // The same way to Kafka, and nobody comes in.
      const policies = manifests.filter(({ kind }) => kind === 'NetworkPolicy')
      const policy = policies.find((each) => each.metadata.name === 'release-login-stats-verify')
      if (values !== 'mutual-tls-values.yaml')
        expect(metadata.labels).toMatchObject(policy?.spec.podSelector.matchLabels)
      expect(policy?.spec.ingress).toBeUndefined()
      for (const rule of policy?.spec.egress ?? []) expect(policies[0]?.spec.egress).toContainEqual(rule)
    },
  )

  it('an instance is asked for by a name that stays its own', () => {
    const { manifests } = render('minimal-values.yaml')
    const variables: Variable[] = containerOf(manifests).env
    expect(variables.find(({ name }) => name === 'HTTP_ADVERTISED_URL')?.value).toBe(
      'http://$(POD_NAME).release-login-stats-headless.stats.svc:8080',
    )
    // A variable can only name one that stands before it.
    const names = variables.map(({ name }) => name)
    expect(names.indexOf('POD_NAME')).toBeLessThan(names.indexOf('HTTP_ADVERTISED_URL'))
  })

  it('secrets reach the pod as files, and stand in no manifest', () => {
    const { text, manifests } = render('secured-values.yaml')
    const variables: Variable[] = containerOf(manifests).env
    const secret = settingList.filter((setting) => setting.secret).map(({ variable }) => variable)
    expect(secret.length).toBeGreaterThan(1)
    for (const variable of secret) expect(variables.map(({ name }) => name)).not.toContain(variable)
    expect(manifests.map(({ kind }) => kind)).not.toContain('Secret')
    expect(text).toContain('defaultMode: 288')
  })

  it('times that only go with the longer session of the chart hold for the check too', () => {
    const set = 'config.COMMIT_INTERVAL_MS=30000,config.MAX_STALL_MS=60001'
    const { manifests } = render('minimal-values.yaml', '--set', set)
    const [check] = one(manifests, 'CronJob').spec.jobTemplate.spec.template.spec.containers
    const environment = (variables: Variable[]) =>
      Object.fromEntries(variables.map(({ name, value }) => [name, value]))
    for (const { env } of [containerOf(manifests), check])
      expect(loadConfig(environment(env))).toMatchObject({ sessionTimeoutMs: 60_000, maxStallMs: 60_001 })
  })

  it('a large number stays one', () => {
    const variables: Variable[] = containerOf(render('secured-values.yaml').manifests).env
    expect(variables.find(({ name }) => name === 'MAX_STALL_MS')?.value).toBe('1000000')
  })

  it('alerts and dashboard are those of deploy/, with links to where the repository is', () => {
    const { manifests } = render('secured-values.yaml')
    const rules = one(manifests, 'PrometheusRule').spec
    const base = 'https://git.example/login-stats/blob/main/docs/'
    const { spec } = one(manifests, 'ServiceMonitor')
    // Each release is a job of its own, by which its alerts go.
    const [{ targetLabel, replacement: job }] = spec.endpoints[0].relabelings
    expect([targetLabel, job]).toEqual(['job', 'stats/release-login-stats'])
    const expected = readText(alertsPath)
      .replaceAll(/runbook: docs\/(\S+) in the .*/g, `runbook_url: ${base}$1`)
      .replaceAll('job="login-stats"', `job="${job}"`)
      .replaceAll('job: login-stats', `job: ${job}`)
    expect(rules).toEqual(parse(expected))
    const dashboard = one(manifests, 'ConfigMap').data?.['login-stats.json'] ?? ''
    expect(JSON.parse(dashboard)).toEqual(JSON.parse(readText(dashboardPath)))
    const scraped = manifests.filter(
      ({ kind, metadata }) =>
        kind === 'Service' &&
        Object.entries(spec.selector.matchLabels).every(([name, value]) => metadata.labels?.[name] === value),
    )
    expect(scraped.map(({ metadata }) => metadata.name)).toEqual(['release-login-stats-headless'])
  })

  it('alerts can be left out; where instances are taken away on purpose, that of missing ones is', () => {
    const namesIn = (values: string, ...more: string[]) => {
      const { manifests } = render(values, '--set', 'prometheusRule.enabled=true', ...more)
      const { groups } = one(manifests, 'PrometheusRule').spec as AlertFile
      return groups.flatMap(({ rules }) => rules.map(({ alert }) => alert))
    }
    const all = alerts.map(({ alert }) => alert)
    const without = (...names: string[]) => all.filter((name) => !names.includes(name))
    expect(namesIn('minimal-values.yaml')).toEqual(all)
    const disabled = ['--set', 'prometheusRule.disabledAlerts={LoginStatsVersionsDiffer}']
    expect(namesIn('minimal-values.yaml', ...disabled)).toEqual(without('LoginStatsVersionsDiffer'))
    expect(namesIn('hpa-values.yaml')).toEqual(without('LoginStatsInstanceGone'))
  })
  it.each([
    ['minimal-values.yaml', []],
    ['secured-values.yaml', ['(by itself at 0 4 * * *)']],
    ['hpa-values.yaml', ['2 to 8, by hpa']],
    ['mutual-tls-values.yaml', ['Without volumes', 'There is no network policy']],
  ])('%s: the notes tell how to look at it', (values, more) => {
    const notes = notesOf(values)
    for (const command of ['get pods', 'logs', 'port-forward service/release-login-stats 8080:8080'])
      expect(notes).toContain(`kubectl --namespace stats ${command}`)
    expect(notes).toContain('create job --from=cronjob/release-login-stats-verify')
    for (const text of more) expect(notes).toContain(text)
    expect(notes).not.toContain('WARNING')
  })

  it('the notes warn of a password that travels in clear', () => {
    const set =
      'kafka.securityProtocol=SASL_PLAINTEXT,kafka.sasl.mechanism=PLAIN,kafka.sasl.username=somebody'
    const allowed = 'kafka.sasl.existingSecret=x,config.KAFKA_ALLOW_INSECURE_SASL=true'
    expect(notesOf('minimal-values.yaml', '--set', set, '--set', allowed)).toContain(
      'the password of somebody goes over the network in clear',
    )
  })
})

/** What is told after an installation. Helm shows it only where there is a cluster, so a copy of the chart has it in a manifest. */
function notesOf(values: string, ...more: string[]): string {
  const copy = mkdtempSync(join(tmpdir(), 'login-stats-chart-'))
  try {
    cpSync(chart, copy, { recursive: true, dereference: true })
    const notes = '{{ include (print $.Template.BasePath "/NOTES.txt") . | toJson }}'
    writeFileSync(join(copy, 'templates/shown.yaml'), `kind: Notes\nnotes: ${notes}\n`)
    const { exitCode, stdout, output } = runHelm(
      ...['template', 'release', copy, '--namespace', 'stats', ...kubeVersion],
      ...['--show-only', 'templates/shown.yaml', '--values', join(chart, 'ci', values), ...more],
    )
    expect(exitCode, output).toBe(0)
    return parse(stdout).notes
  } finally {
    rmSync(copy, { recursive: true })
  }
}
