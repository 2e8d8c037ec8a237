import { join } from 'node:path'
import { argumentId } from './argument-id.ts'
import { runCommand } from './command.ts'
import type { SaslSslSettings } from './server-properties.ts'
import type { SaslSslAccess } from './types.ts'
import { unavailable } from './unavailable.ts'

export interface Credentials {
  readonly settings: SaslSslSettings
  readonly access: SaslSslAccess
}

/**
 * A self-signed certificate for the host, in a key store for the brokers and as a PEM file for clients to trust,
 * and two users with random passwords. Java's keytool makes it, because every Java brings one.
 */
export async function makeCredentials(
  keytool: string,
  directory: string,
  host: string,
): Promise<Credentials> {
  const keyStorePath = join(directory, 'broker.p12')
  const keyStorePassword = argumentId()
  const store = [
    '-keystore',
    keyStorePath,
    '-storetype',
    'PKCS12',
    '-storepass',
    keyStorePassword,
    '-alias',
    'broker',
  ]
  const names = new Set([host, '127.0.0.1', 'localhost'])
  const alternatives = [...names].map((name) => `${/^[\d.]+$/.test(name) ? 'ip' : 'dns'}:${name}`).join(',')
  await run(keytool, [
    ...['-genkeypair', ...store, '-keyalg', 'EC', '-groupname', 'secp256r1', '-validity', '30'],
    ...['-dname', 'CN=localhost', '-ext', `san=${alternatives}`, '-ext', 'bc=ca:true'],
  ])
  const caPath = join(directory, 'ca.pem')
  await run(keytool, ['-exportcert', '-rfc', ...store, '-file', caPath])
  const admin = { username: 'admin', password: argumentId() }
  const application = { username: 'application', password: argumentId() }
  return {
    settings: { keyStorePath, keyStorePassword, users: [admin, application] },
    access: { caPath, admin, application },
  }
}

async function run(keytool: string, args: readonly string[]): Promise<void> {
  const { exitCode, stdout, stderr } = await runCommand(keytool, args)
  if (exitCode === 0) return
  throw unavailable(
    'Making a certificate with keytool',
    `${stdout}${stderr}`.trim(),
    'Install Java 17 or later.',
  )
}
