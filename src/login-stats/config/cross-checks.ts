/** What must hold between settings, each of which is right by itself. */
import { progressTopic } from '../dead-letters/topics.ts'
import type { Values } from './settings.ts'

/** Every contradiction between settings, each in one line that begins with a variable. */
export function contradictions(values: Values): string[] {
  return [
    ...topicProblems(values),
    ...timeProblems(values),
    ...paneProblems(values),
    ...securityProblems(values),
    ...privacyProblems(values),
  ]
}

function topicProblems(values: Values): string[] {
  const uses: readonly (readonly [variable: string, topic: string | null])[] = [
    ['INPUT_TOPIC', values.inputTopic],
    ['OUTPUT_TOPIC', values.outputTopic],
    ['DLQ_TOPIC', values.dlqTopic],
    ['ENRICHED_TOPIC', values.enrichedTopic],
    ['INSIGHTS_TOPIC', values.insightsTopic],
    ['the repartition topic of APP_ID', `${values.appId}-counts-repartition`],
    ['the changelog of APP_ID', `${values.appId}-counts-changelog`],
    ['the progress of replays of APP_ID', progressTopic(values)],
  ]
  const problems: string[] = []
  const owners = new Map<string, string>()
  for (const [variable, topic] of uses) {
    if (topic === null) continue
    const owner = owners.get(topic)
    if (owner === undefined) owners.set(topic, variable)
    else problems.push(`${owner} and ${variable} name the same topic, ${topic}: each needs its own`)
  }
  return problems
}

function timeProblems({ commitIntervalMs, sessionTimeoutMs, maxStallMs }: Values): string[] {
  const problems: string[] = []
  if (commitIntervalMs >= sessionTimeoutMs)
    problems.push(
      `COMMIT_INTERVAL_MS=${commitIntervalMs}: must be below SESSION_TIMEOUT_MS (${sessionTimeoutMs})`,
    )
  if (maxStallMs <= sessionTimeoutMs)
    problems.push(`MAX_STALL_MS=${maxStallMs}: must be above SESSION_TIMEOUT_MS (${sessionTimeoutMs})`)
  return problems
}

function paneProblems({ rollingWindows, rollingPanes }: Values): string[] {
  return rollingWindows
    .filter(({ durationMs }) => durationMs % rollingPanes !== 0)
    .map(
      ({ name, durationMs }) =>
        `ROLLING_WINDOWS: ${name} (${durationMs} ms) cannot be divided into ROLLING_PANES=${rollingPanes} panes of whole milliseconds`,
    )
}

function privacyProblems({ enrichedIp, enrichedIpKey }: Values): string[] {
  if (enrichedIp === 'hmac' && enrichedIpKey === null)
    return ['ENRICHED_IP_KEY: is needed with ENRICHED_IP=hmac']
  if (enrichedIp !== 'hmac' && enrichedIpKey !== null)
    return [`ENRICHED_IP_KEY: has no effect with ENRICHED_IP=${enrichedIp}`]
  return []
}

function securityProblems(values: Values): string[] {
  const protocol = `KAFKA_SECURITY_PROTOCOL=${values.securityProtocol}`
  const tls = values.securityProtocol.endsWith('SSL')
  const sasl = values.securityProtocol.startsWith('SASL')
  const saslSettings = {
    KAFKA_SASL_MECHANISM: values.saslMechanism,
    KAFKA_SASL_USERNAME: values.saslUsername,
    KAFKA_SASL_PASSWORD: values.saslPassword,
  }
  const tlsSettings = {
    KAFKA_SSL_CA_LOCATION: values.sslCaLocation,
    KAFKA_SSL_CERTIFICATE_LOCATION: values.sslCertificateLocation,
    KAFKA_SSL_KEY_LOCATION: values.sslKeyLocation,
    KAFKA_SSL_KEY_PASSWORD: values.sslKeyPassword,
  }
  const problems: string[] = []
  for (const [variable, value] of Object.entries(saslSettings)) {
    if (sasl && value === null) problems.push(`${variable}: is needed with ${protocol}`)
    if (!sasl && value !== null)
      problems.push(`${variable}: has no effect with ${protocol}; choose a SASL one`)
  }
  for (const [variable, value] of Object.entries(tlsSettings))
    if (!tls && value !== null)
      problems.push(`${variable}: has no effect with ${protocol}; choose an SSL one`)
  if (tls && (values.sslCertificateLocation === null) !== (values.sslKeyLocation === null))
    problems.push('KAFKA_SSL_CERTIFICATE_LOCATION and KAFKA_SSL_KEY_LOCATION: one needs the other')
  if (sasl && !tls && values.saslMechanism === 'PLAIN' && !values.allowInsecureSasl)
    problems.push(
      `KAFKA_SASL_MECHANISM=PLAIN: with ${protocol} the password would travel in clear; use SASL_SSL or SCRAM, or set KAFKA_ALLOW_INSECURE_SASL=true`,
    )
  return problems
}
