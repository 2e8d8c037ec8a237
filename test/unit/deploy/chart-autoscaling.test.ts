import { describe, expect, test } from 'vitest'
import { helm, one, render } from './chart.ts'

const sasl = 'kafka.securityProtocol=SASL_PLAINTEXT,kafka.sasl.username=somebody,kafka.sasl.existingSecret=x'
const insecure = 'config.KAFKA_ALLOW_INSECURE_SASL=true'
const byParameter = (a: { parameter: string }, b: { parameter: string }) =>
  a.parameter < b.parameter ? -1 : 1

describe(`autoscaling, rendered by helm${helm.reason}`, { timeout: 60_000 }, () => {
  const it = test.skipIf(helm.command === null)

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

  it('KEDA speaks to Kafka as the instances do, with their credentials', () => {
    const { manifests } = render('keda-secured-values.yaml')
    const [trigger] = one(manifests, 'ScaledObject').spec.triggers
    expect(trigger.metadata).toMatchObject({ sasl: 'scram_sha512', tls: 'enable' })
    const { metadata, spec } = one(manifests, 'TriggerAuthentication')
    expect(trigger.authenticationRef).toEqual({ name: metadata.name })
    // The name of the user stands in no Secret: KEDA takes it from the environment of the instances.
    const [processor] = one(manifests, 'StatefulSet').spec.template.spec.containers
    const [{ parameter, name, containerName }] = spec.env
    expect([parameter, containerName]).toEqual(['username', processor.name])
    expect(processor.env).toContainEqual({ name, value: 'login-stats' })
    expect(spec.secretTargetRef.toSorted(byParameter)).toEqual([
      { parameter: 'ca', name: 'login-stats-tls', key: 'ca.crt' },
      { parameter: 'cert', name: 'login-stats-tls', key: 'tls.crt' },
      { parameter: 'key', name: 'login-stats-tls', key: 'tls.key' },
      { parameter: 'password', name: 'login-stats-kafka', key: 'password' },
    ])
  })

  it('KEDA has an access of its own where one is named', () => {
    const set = 'autoscaling.keda.authenticationRef=kafka-for-keda'
    const { manifests } = render('keda-secured-values.yaml', '--set', set)
    expect(manifests.map(({ kind }) => kind)).not.toContain('TriggerAuthentication')
    const [{ metadata, authenticationRef }] = one(manifests, 'ScaledObject').spec.triggers
    expect(authenticationRef).toEqual({ name: 'kafka-for-keda' })
    // KEDA refuses to be told them by both.
    expect(Object.keys(metadata)).not.toContain('sasl')
    expect(Object.keys(metadata)).not.toContain('tls')
  })

  it.each([
    ['without credentials', '', {}, false],
    ['TLS by a public authority', 'kafka.securityProtocol=SSL', { tls: 'enable' }, false],
    ['TLS by an own one', 'kafka.securityProtocol=SSL,kafka.tls.existingSecret=x', { tls: 'enable' }, true],
    ['SCRAM', `${sasl},kafka.sasl.mechanism=SCRAM-SHA-256`, { sasl: 'scram_sha256' }, true],
    ['PLAIN', `${sasl},kafka.sasl.mechanism=PLAIN,${insecure}`, { sasl: 'plaintext' }, true],
  ])('KEDA by %s', (_what, set, expected, authenticated) => {
    const { manifests } = render('keda-values.yaml', '--set', `autoscaling.keda.authenticationRef=,${set}`)
    const [{ metadata, authenticationRef }] = one(manifests, 'ScaledObject').spec.triggers
    expect({ sasl: metadata.sasl, tls: metadata.tls }).toEqual({
      sasl: undefined,
      tls: undefined,
      ...expected,
    })
    expect(authenticationRef !== undefined).toBe(authenticated)
    expect(manifests.some(({ kind }) => kind === 'TriggerAuthentication')).toBe(authenticated)
  })
})
