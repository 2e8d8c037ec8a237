import { readFileSync } from 'node:fs'
import { CodedError } from '../../errors.ts'
import { type Config, readFailure } from './config.ts'

/** TLS options, with file contents in place of paths. */
export interface TlsOptions {
  readonly ca?: string[]
  readonly cert?: string
  readonly key?: string
  readonly passphrase?: string
}

export interface SaslOptions {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
  readonly username: string
  readonly password: string
}

/** How to connect, in the shape that the Kafka client takes. Neither is there with PLAINTEXT. */
export interface KafkaSecurity {
  readonly ssl?: TlsOptions
  readonly sasl?: SaslOptions
}

const mechanisms = {
  PLAIN: 'plain',
  'SCRAM-SHA-256': 'scram-sha-256',
  'SCRAM-SHA-512': 'scram-sha-512',
} as const

/** Reads the PEM files that the configuration names. Throws CONFIG_INVALID, listing each that cannot be read. */
export function kafkaSecurity(config: Config): KafkaSecurity {
  const ssl = config.securityProtocol.endsWith('SSL') ? tlsOptions(config) : undefined
  const sasl = config.securityProtocol.startsWith('SASL') ? saslOptions(config) : undefined
  return { ...(ssl && { ssl }), ...(sasl && { sasl }) }
}

function tlsOptions(config: Config): TlsOptions {
  const problems: string[] = []
  const ca = readPem('KAFKA_SSL_CA_LOCATION', config.sslCaLocation, problems)
  const cert = readPem('KAFKA_SSL_CERTIFICATE_LOCATION', config.sslCertificateLocation, problems)
  const key = readPem('KAFKA_SSL_KEY_LOCATION', config.sslKeyLocation, problems)
  if (problems.length > 0)
    throw new CodedError('CONFIG_INVALID', {
      operation: 'reading the TLS files',
      detail: `${problems.join('; ')}.`,
    })
  return {
    ...(ca !== null && { ca: [ca] }),
    ...(cert !== null && { cert }),
    ...(key !== null && { key }),
    ...(config.sslKeyPassword !== null && { passphrase: config.sslKeyPassword }),
  }
}

function readPem(variable: string, path: string | null, problems: string[]): string | null {
  if (path === null) return null
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    problems.push(`${variable}=${path}: ${readFailure(error)}`)
    return null
  }
}

function saslOptions({ saslMechanism, saslUsername, saslPassword }: Config): SaslOptions {
  if (saslMechanism === null || saslUsername === null || saslPassword === null)
    throw new CodedError('INTERNAL', {
      operation: 'reading the SASL settings',
      detail: 'SASL is on without its settings, which loadConfig refuses.',
    })
  return { mechanism: mechanisms[saslMechanism], username: saslUsername, password: saslPassword }
}
