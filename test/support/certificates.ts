/**
 * X.509 certificates for tests, made without any tool: a version 3 certificate is
 *
 *     SEQUENCE { SEQUENCE { [0] version, serial, algorithm, issuer, validity, subject, public key, [3] extensions },
 *                algorithm, BIT STRING signature }
 *
 * in DER, signed with ECDSA and SHA-256.
 */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { systemClock } from '../../src/system/clock.ts'

export interface Identity {
  readonly name: string
  /** PEM. */
  readonly certificate: string
  readonly privateKey: KeyObject
}

export interface IdentityOptions {
  /** Signs it; itself if absent. */
  readonly issuer?: Identity
  /** DNS names, for a server. */
  readonly hosts?: readonly string[]
  readonly isAuthority?: boolean
}

const dayMs = 86_400_000

/** A new key, and a certificate for it that is valid for some days. */
export function makeIdentity(name: string, options: IdentityOptions = {}): Identity {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { issuer = { name, privateKey } } = options
  const now = systemClock.now()
  const signed = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ecdsaWithSha256,
    distinguishedName(issuer.name),
    sequence(utcTime(now - dayMs), utcTime(now + 10 * dayMs)),
    distinguishedName(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...extensions(options))),
  )
  const signature = sign('sha256', signed, issuer.privateKey)
  const der = sequence(signed, ecdsaWithSha256, bitString(signature))
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  const certificate = ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
  return { name, certificate, privateKey }
}

/** PKCS #8, encrypted if there is a password. */
export function privateKeyPem({ privateKey }: Identity, passphrase?: string): string {
  const cipher = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase }
  return String(privateKey.export({ type: 'pkcs8', format: 'pem', ...cipher }))
}

function extensions({ hosts = [], isAuthority = false }: IdentityOptions): Buffer[] {
  const basicConstraints = sequence(
    objectId('551d13'),
    Buffer.from([1, 1, 0xff]),
    tagged(4, isAuthority ? sequence(Buffer.from([1, 1, 0xff])) : sequence()),
  )
  if (hosts.length === 0) return [basicConstraints]
  // A general name: [2] a DNS name, [7] the bytes of an address.
  const names = hosts.map((host) =>
    /^[\d.]+$/.test(host)
      ? tagged(0x87, Buffer.from(host.split('.').map(Number)))
      : tagged(0x82, Buffer.from(host)),
  )
  return [basicConstraints, sequence(objectId('551d11'), tagged(4, sequence(...names)))]
}

function distinguishedName(commonName: string): Buffer {
  return sequence(tagged(0x31, sequence(objectId('550403'), tagged(0x0c, Buffer.from(commonName)))))
}

function tagged(tag: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content)
  const length =
    body.length < 0x80
      ? [body.length]
      : body.length < 0x100
        ? [0x81, body.length]
        : [0x82, body.length >> 8, body.length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...length]), body])
}

function sequence(...content: readonly Buffer[]): Buffer {
  return tagged(0x30, ...content)
}

function integer(bytes: Buffer): Buffer {
  return tagged(2, bytes)
}

function bitString(bytes: Buffer): Buffer {
  return tagged(3, Buffer.from([0]), bytes)
}

/** `hex`: the encoded number. */
function objectId(hex: string): Buffer {
  return tagged(6, Buffer.from(hex, 'hex'))
}

function utcTime(timeMs: number): Buffer {
  const digits = new Date(timeMs).toISOString().replaceAll(/[-:T]/g, '').slice(2, 14)
  return tagged(0x17, Buffer.from(`${digits}Z`))
}

const ecdsaWithSha256 = sequence(objectId('2a8648ce3d040302'))
