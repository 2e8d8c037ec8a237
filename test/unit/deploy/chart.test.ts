import { mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { loadConfig, settingList } from '../../../src/login-stats/config/index.ts'
import { findTool, runTool, schemaDirectory, schemaVersions } from '../../support/tools.ts'
import { type AlertFile, alerts, alertsPath, dashboardPath, readText, readYaml, root } from './files.ts'

const chart = join(root, 'deploy/helm/login-stats')
const valueFiles = readdirSync(join(chart, 'ci'))
/** Helm takes itself for an old one where there is no cluster to ask. */
const kubeVersion = ['--kube-version', schemaVersions.kubernetes]
const helm = findTool('helm')
const kubeconform = findTool('kubeconform')

interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly labels?: Record<string, string> }
  // biome-ignore lint/suspicious/noExplicitAny: a manifest of any kind; what is wrong in it is seen by the comparison.
  readonly spec?: any
  readonly data?: Record<string, string>
}

interface Variable {
  readonly name: string
  readonly value?: string
}

function runHelm(...args: string[]): { exitCode: number | null; output: string; stdout: string } {
  return runTool(helm.command ?? '', args)
}

interface Rendered {
  readonly text: string
  readonly manifests: Manifest[]
}

/** By arguments: a start of helm takes long. */
const rendered = new Map<string, Rendered>()

/** The manifests of a file of values, with more of them. */
function render(values: string, ...more: string[]): Rendered {
  const name = [values, ...more].join(' ')
  const found = rendered.get(name) ?? renderAnew(values, more)
  rendered.set(name, found)
  return found
}

function renderAnew(values: string, more: readonly string[]): Rendered {
  const { exitCode, stdout, output } = runHelm(
    ...['template', 'release', chart, '--namespace', 'stats', ...kubeVersion],
    ...['--values', join(chart, 'ci', values), ...more],
  )
  expect(exitCode, output).toBe(0)
  const documents = parseAllDocuments(stdout)
  for (const { errors } of documents) expect(errors).toEqual([])
  return {
    text: stdout,
    manifests: documents.map((document) => document.toJS()).filter((one) => one !== null),
  }
}

function one(manifests: readonly Manifest[], kind: string, name?: string): Manifest {
  const found = manifests.filter(
    (manifest) => manifest.kind === kind && (name ?? manifest.metadata.name) === manifest.metadata.name,
  )
  expect(found, kind).toHaveLength(1)
  return found[0]!
}

function containerOf(manifests: readonly Manifest[]) {
  return one(manifests, 'StatefulSet').spec.template.spec.containers[0]
}

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

  it.each([
    ['a name of this namespace', 'kafka:9092', 'kafka.stats.svc:9092'],
    ['several', 'kafka-0:9092,kafka-1:9094', 'kafka-0.stats.svc:9092,kafka-1.stats.svc:9094'],
    [
      'names that hold everywhere',
      'kafka-0.kafka.other:9092,10.0.0.7:9092',
      'kafka-0.kafka.other:9092,10.0.0.7:9092',
    ],
  ])('KEDA looks for Kafka where it is seen from any namespace: %s', (_what, brokers, expected) => {
    const set = `kafka.brokers=${brokers.replaceAll(',', '\\,')},networkPolicy.enabled=false`
    const { manifests } = render('keda-values.yaml', '--set', set)
    expect(one(manifests, 'ScaledObject').spec.triggers[0].metadata.bootstrapServers).toBe(expected)
  })

  it('KEDA can be told where it finds Kafka', () => {
    const set = 'kafka.brokers=kafka.example:9092,autoscaling.keda.bootstrapServers=kafka.example:9093'
    const { manifests } = render('keda-values.yaml', '--set', set)
    expect(one(manifests, 'ScaledObject').spec.triggers[0].metadata.bootstrapServers).toBe(
      'kafka.example:9093',
    )
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

  it.each(['keda-values.yaml', 'hpa-values.yaml'])(
    '%s: the number of instances is left to who scales',
    (values) => {
      const { manifests } = render(values)
      const { metadata, spec } = one(manifests, 'StatefulSet')
      expect(spec).not.toHaveProperty('replicas')
      const scaler = manifests.find(
        ({ kind }) => kind === 'ScaledObject' || kind === 'HorizontalPodAutoscaler',
      )
      expect(scaler?.spec.scaleTargetRef).toMatchObject({ kind: 'StatefulSet', name: metadata.name })
    },
  )

  it('KEDA looks at the lag of the group and the topic that are configured', () => {
    const { manifests } = render('keda-values.yaml', '--set', 'config.APP_ID=other,config.INPUT_TOPIC=logins')
    expect(one(manifests, 'ScaledObject').spec.triggers[0].metadata).toMatchObject({
      consumerGroup: 'other',
      topic: 'logins',
      lagThreshold: '100000',
    })
  })

  it.each([
    ['no brokers', ['kafka.brokers='], 'brokers'],
    ['brokers with a protocol', ['kafka.brokers=http://kafka:9092'], 'brokers'],
    ['a setting that does not exist', ['config.COMIT_INTERVAL_MS=50'], 'COMIT_INTERVAL_MS'],
    ['a setting that the chart sets itself', ['config.STATE_DIR=/tmp'], 'STATE_DIR'],
    ['a secret among the settings', ['config.KAFKA_SASL_PASSWORD=x'], 'KAFKA_SASL_PASSWORD'],
    ['a value that does not exist', ['replica=3'], 'replica'],
    ['another protocol', ['kafka.securityProtocol=TLS'], 'securityProtocol'],
    ['a volume that several nodes share', ['persistence.accessModes={ReadWriteMany}'], 'accessModes'],
    ['a session that brokers do not allow', ['restarts.sessionTimeoutMs=1000'], 'sessionTimeoutMs'],
    ['SASL without a password', ['kafka.securityProtocol=SASL_SSL'], 'kafka.sasl.mechanism'],
    ['SASL that would not be used', ['kafka.sasl.existingSecret=x'], 'kafka.sasl has no effect'],
    ['TLS files that would not be used', ['kafka.tls.existingSecret=x'], 'kafka.tls has no effect'],
    [
      'a certificate without its key',
      ['kafka.securityProtocol=SSL,kafka.tls.existingSecret=x,kafka.tls.certKey=a'],
      'one needs the other',
    ],
    ['addresses hashed without a key', ['config.ENRICHED_IP=hmac'], 'enrichedIp.existingSecret'],
    ['to wait for pods that come back as others', ['persistence.enabled=false'], 'needs persistence'],
    ['a policy that keeps it from Kafka', ['kafka.brokers=kafka:9093'], 'does not have port 9093'],
    [
      'to leave out an alert that does not exist',
      ['prometheusRule.disabledAlerts={LoginStatsGone}'],
      'no alert LoginStatsGone',
    ],
    [
      'KEDA that may not find Kafka from where it runs',
      ['autoscaling.type=keda', 'kafka.brokers=kafka-0.kafka:9092'],
      'autoscaling.keda.bootstrapServers is needed',
    ],
    [
      'KEDA without access to Kafka',
      ['autoscaling.type=keda', 'kafka.brokers=kafka:9092', 'kafka.securityProtocol=SSL'],
      'autoscaling.keda.authenticationRef is needed',
    ],
    [
      'a stall that ends before a session does',
      ['config.MAX_STALL_MS=60000'],
      'config.MAX_STALL_MS=60000 must be above restarts.sessionTimeoutMs (60000)',
    ],
    [
      'a session that outlasts a stall',
      ['restarts.sessionTimeoutMs=200000', 'config.MAX_STALL_MS=150000'],
      'config.MAX_STALL_MS=150000 must be above restarts.sessionTimeoutMs (200000)',
    ],
    [
      'commits that a session does not outlast',
      ['config.COMMIT_INTERVAL_MS=6000', 'restarts.sessionTimeoutMs=6000'],
      'config.COMMIT_INTERVAL_MS=6000 must be below restarts.sessionTimeoutMs (6000)',
    ],
    ['fewer at most than at least', ['autoscaling.minReplicas=9'], 'minReplicas'],
  ])('refuses %s', (_what, sets, message) => {
    const { exitCode, output } = runHelm(
      ...['template', 'release', chart, ...kubeVersion, '--values', join(chart, 'ci/minimal-values.yaml')],
      ...sets.flatMap((set) => ['--set', set]),
    )
    expect(exitCode).not.toBe(0)
    expect(output).toContain(message)
  })

  it('refuses to be installed without brokers', () => {
    const { exitCode, output } = runHelm('template', 'release', chart, ...kubeVersion)
    expect(exitCode).not.toBe(0)
    expect(output).toContain('brokers')
  })
})

const schemas = schemaDirectory()
const validating = helm.command !== null && kubeconform.command !== null && hasFiles(schemas)
const reason = validating
  ? ''
  : `${helm.reason || kubeconform.reason || ' (skipped: no schemas; npm run tools gets them)'}`

describe(`the manifests, by the schemas of Kubernetes and its operators${reason}`, {
  timeout: 60_000,
}, () => {
  const it = test.skipIf(!validating)
  const validate = (manifests: string) =>
    runTool(
      kubeconform.command ?? '',
      ['-strict', '-summary', '-schema-location', join(schemas, '{{.ResourceKind}}{{.KindSuffix}}.json')],
      manifests,
    )

  it.each(valueFiles)('%s: all of them are valid', (values) => {
    const { text, manifests } = render(values)
    const { exitCode, output } = validate(text)
    expect(exitCode, output).toBe(0)
    expect(output).toContain(`Valid: ${manifests.length}, Invalid: 0, Errors: 0, Skipped: 0`)
  })

  it.each([
    ['a mistyped field', 'terminationGracePeriodSeconds', 'terminationGraceSeconds'],
    ['a text where a number must be', 'replicas: 2', 'replicas: two'],
    ['a field of a resource of an operator', 'runbook_url:', 'runbook_url: {}\n            x:'],
  ])('%s would be found', (_what, right, wrong) => {
    const { text } = render('secured-values.yaml', '--set', 'replicas=2')
    expect(text).toContain(right)
    expect(validate(text.replace(right, wrong)).exitCode).not.toBe(0)
  })
})

function hasFiles(directory: string): boolean {
  try {
    return readdirSync(directory).length > 0
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return false
  }
}
