import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readText, readYaml, root } from './files.ts'

interface Service {
  readonly image?: string
  readonly build?: string
  readonly profiles?: readonly string[]
  readonly command?: readonly string[]
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly environment?: Readonly<Record<string, string | number>>
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly healthcheck?: { readonly disable?: boolean }
  readonly depends_on?: Readonly<Record<string, unknown>>
}

const compose = readYaml('compose.yaml') as {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, unknown>>
}
const { services } = compose
const entries = Object.entries(services)
const [, defaultProfiles = ''] = /^COMPOSE_PROFILES=(.*)$/m.exec(readText('.env')) ?? []

/** The services that `up` starts: those without profiles, and those of an active one. A --profile takes the place of the default. */
function started(...profiles: string[]): string[] {
  const active = profiles.length > 0 ? profiles : defaultProfiles.split(',')
  return entries
    .filter(([, { profiles: own }]) => own === undefined || own.some((profile) => active.includes(profile)))
    .map(([name]) => name)
    .toSorted()
}

describe('compose.yaml', () => {
  const core = ['kafka', 'topics', 'processor']

  test('starts Kafka, topics, our generator and the processor by itself', () => {
    expect(started()).toEqual([...core, 'generator'].toSorted())
  })

  test('with the original generator, ours does not run', () => {
    expect(started('original-generator')).toEqual([...core, 'original-generator'].toSorted())
    expect(services['original-generator']?.environment).toEqual({
      BOOTSTRAP_SERVERS: 'kafka:9092',
      KAFKA_TOPIC: 'user-login',
    })
  })

  test('with monitoring, there is something to see', () => {
    expect(started('monitoring')).toEqual([...core, 'generator', 'grafana', 'prometheus'].toSorted())
  })

  test('no service needs one that its profile does not start', () => {
    for (const [name, { depends_on = {} }] of entries)
      for (const needed of Object.keys(depends_on)) expect(services[needed]?.profiles, name).toBeUndefined()
  })

  test.each(entries)('%s: its port is open to this machine alone', (_name, { ports = [] }) => {
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/)
  })

  test('Kafka is at localhost:29092 for the host and at kafka:9092 for containers', () => {
    expect(services.kafka?.ports).toEqual(['127.0.0.1:29092:29092'])
    expect(services.kafka?.environment?.KAFKA_ADVERTISED_LISTENERS).toBe(
      'INSIDE://kafka:9092,HOST://localhost:29092',
    )
  })

  test('more processors can get ports of their own', () => {
    expect(services.processor?.ports).toEqual([`127.0.0.1:${'$'}{PROCESSOR_PORTS:-8080}:8080`])
  })

  test.each(entries)(
    '%s: what is mounted from here exists, volumes are declared',
    (_name, { volumes = [] }) => {
      for (const volume of volumes) {
        const [source = '', , mode] = volume.split(':')
        if (!source.startsWith('.')) expect(compose.volumes).toHaveProperty([source])
        else {
          expect(existsSync(join(root, source)), source).toBe(true)
          expect(mode).toBe('ro')
        }
      }
    },
  )

  test.each(entries.filter(([, { image }]) => image !== 'login-stats'))(
    '%s: its image is pinned to a version, where its publisher has versions',
    (name, { image = '' }) => {
      if (name === 'original-generator') expect(image).toBe('mpradeep954/fetch-de-data-gen')
      else expect(image).toMatch(/^[\w./-]+:v?\d+\.\d+\.\d+$/)
    },
  )

  test.each(entries.filter(([, { image }]) => image === 'login-stats'))(
    '%s: its container can write nowhere but to its volume, and gain no rights',
    (_name, service) => {
      expect(service.read_only).toBe(true)
      expect(service.cap_drop).toEqual(['ALL'])
      expect(service.security_opt).toEqual(['no-new-privileges:true'])
    },
  )

  test('only the processor is asked for its health', () => {
    for (const [name, { image, healthcheck }] of entries)
      if (image === 'login-stats') expect(healthcheck?.disable ?? false, name).toBe(name !== 'processor')
  })

  test('Prometheus reads the metrics of every processor', () => {
    const { scrape_configs } = readYaml('deploy/prometheus/prometheus.yml') as {
      scrape_configs: {
        job_name: string
        dns_sd_configs: { names: string[]; type: string; port: number }[]
      }[]
    }
    expect(scrape_configs).toHaveLength(1)
    expect(scrape_configs[0]?.job_name).toBe('login-stats')
    expect(scrape_configs[0]?.dns_sd_configs).toMatchObject([{ names: ['processor'], type: 'A', port: 8080 }])
  })
})
