/** TLS, SASL, and a broker that freezes and restarts: on a broker of the test's own, since the shared one must do none of it. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createKafkajsWire, type KafkajsWireOptions } from '../../src/kafka/wire/kafkajs-wire.ts'
import type { Wire } from '../../src/kafka/wire/wire.ts'
import { type LocalKafka, type SaslSslAccess, startLocalKafka } from '../../src/local-kafka/index.ts'
import type { Log } from '../../src/ports/log.ts'
import { systemClock } from '../../src/system/clock.ts'

/** Shorter than the ten seconds before its end in which kafkajs takes a session for over; longer than a busy machine takes to begin one. */
const sessionMs = 8000

type Security = Pick<KafkajsWireOptions, 'ssl' | 'sasl'>

const logged: string[] = []
const note = (fields: object, message: string): void => void logged.push(JSON.stringify([fields, message]))
const log: Log = { debug: note, info: note, warn: note, error: note, child: () => log }

let kafka: LocalKafka
let access: SaslSslAccess
let ca: string
const opened: Wire[] = []

beforeAll(async () => {
  kafka = await startLocalKafka({
    security: 'sasl_ssl',
    sources: ['docker', 'maven'],
    config: { 'connections.max.reauth.ms': String(sessionMs) },
  })
  if (kafka.saslSsl === null) throw new Error('The broker has no SASL_SSL')
  access = kafka.saslSsl
  ca = readFileSync(access.caPath, 'utf8')
})

afterAll(async () => {
  for (const wire of opened) await wire.close()
  await kafka?.close()
})

function wireWith(security: Security, bootstrapServers = kafka.bootstrapServers): Wire {
  const servers = bootstrapServers.split(',')
  const wire = createKafkajsWire({
    bootstrapServers: servers,
    clientId: 'test',
    log,
    clock: systemClock,
    ...security,
  })
  opened.push(wire)
  return wire
}

const soon = { timeoutMs: 8000, lane: 'control' }
const metadata = (wire: Wire, timeoutMs = soon.timeoutMs) =>
  wire.send('bootstrap', 'Metadata', { topics: [] }, { ...soon, timeoutMs })

describe('SASL_SSL', () => {
  test.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)(
    'lets in with %s, also to a node',
    async (mechanism) => {
      const wire = wireWith({ ssl: { ca }, sasl: { mechanism, ...access.admin } })
      const { brokers } = await metadata(wire)
      expect(brokers).toHaveLength(1)
      const toNode = wire.send(brokers[0]!.nodeId, 'Metadata', { topics: [] }, soon)
      expect((await toNode).brokers).toEqual(brokers)
    },
  )

  test.each(['plain', 'scram-sha-512'] as const)(
    'with a wrong password is AUTHENTICATION_FAILED (%s)',
    async (mechanism) => {
      const sasl = { mechanism, username: access.admin.username, password: 'wrong-secret' }
      const error = await metadata(wireWith({ ssl: { ca }, sasl })).catch((failure: unknown) => failure)
      expect(error).toMatchObject({ code: 'AUTHENTICATION_FAILED', behaviour: 'stop' })
      expect(String(error)).not.toContain('wrong-secret')
    },
  )

  test('with a certificate that is not trusted is AUTHENTICATION_FAILED', async () => {
    const wire = wireWith({ ssl: true, sasl: { mechanism: 'plain', ...access.admin } })
    await expect(metadata(wire)).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' })
  })

  test('with a key that is none is AUTHENTICATION_FAILED', async () => {
    const wire = wireWith({
      ssl: { ca, key: 'no key', cert: ca },
      sasl: { mechanism: 'plain', ...access.admin },
    })
    await expect(metadata(wire)).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' })
  })

  test('without credentials is not let in, with a hint at SASL', async () => {
    await expect(metadata(wireWith({ ssl: { ca } }))).rejects.toMatchObject({
      code: 'OUTCOME_UNKNOWN',
      hint: expect.stringContaining('KAFKA_SASL_'),
    })
  })

  test('asked without TLS ends in an error, not in waiting', async () => {
    const wire = wireWith({ sasl: { mechanism: 'plain', ...access.admin } })
    await expect(metadata(wire)).rejects.toMatchObject({ code: 'KAFKA_UNREACHABLE' })
  })

  test('a listener without SASL that is asked for it is AUTHENTICATION_FAILED', async () => {
    const wire = wireWith({ sasl: { mechanism: 'plain', ...access.admin } }, kafka.adminBootstrapServers)
    await expect(metadata(wire)).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' })
  })

  test('sessions may end while requests are under way: none fails, and none is overtaken', async () => {
    const wire = wireWith({ ssl: { ca }, sasl: { mechanism: 'plain', ...access.admin } })
    const answered: number[] = []
    const until = performance.now() + 2 * sessionMs
    let sent = 0
    // Each answer sends the next request, so that some are under way at every moment, but never more than the broker can read.
    const sendInTurn = async (): Promise<void> => {
      while (performance.now() < until) {
        const request = sent++
        await metadata(wire)
        answered.push(request)
      }
    }
    await Promise.all([1, 2, 3, 4, 5].map(sendInTurn))
    const inOrder = Array.from({ length: sent }, (_, request) => request)
    expect(answered.join()).toBe(inOrder.join())
  })

  test('no password is ever logged', () => {
    expect(logged.length).toBeGreaterThan(0)
    for (const line of logged) {
      expect(line).not.toContain(access.admin.password)
      expect(line).not.toContain('wrong-secret')
    }
  })
})

describe('a broker that', () => {
  test('freezes leaves an unknown outcome, and answers again when it goes on', async () => {
    const wire = wireWith({ ssl: { ca }, sasl: { mechanism: 'plain', ...access.admin } })
    await metadata(wire)
    await kafka.broker(1).pause()
    try {
      await expect(metadata(wire, 300)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
      // The kernel still takes connections for it, but nothing gets written on them.
      await expect(metadata(wire, 300)).rejects.toMatchObject({ code: 'KAFKA_UNREACHABLE' })
    } finally {
      await kafka.broker(1).resume()
    }
    await vi.waitFor(() => metadata(wire), { timeout: 20_000 })
  })

  test('is killed is unreachable, and reached again after its restart', async () => {
    const wire = wireWith({ ssl: { ca }, sasl: { mechanism: 'plain', ...access.admin } })
    const { brokers } = await metadata(wire)
    const { nodeId } = brokers[0]!
    await wire.send(nodeId, 'Metadata', { topics: [] }, soon)
    await kafka.broker(1).kill()
    await expect(wire.send(nodeId, 'Metadata', { topics: [] }, soon)).rejects.toMatchObject({
      code: 'KAFKA_UNREACHABLE',
    })
    await kafka.broker(1).start()
    await vi.waitFor(() => wire.send(nodeId, 'Metadata', { topics: [] }, soon), { timeout: 20_000 })
  })
})
