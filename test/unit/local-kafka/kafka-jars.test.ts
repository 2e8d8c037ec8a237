import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { cacheDirectory, kafkaJars } from '../../../src/local-kafka/kafka-jars.ts'

let directory: string
let cache: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kafka-jars-'))
  cache = join(directory, 'cache', 'login-stats')
  vi.stubEnv('XDG_CACHE_HOME', join(directory, 'cache'))
})

afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(directory, { recursive: true })
})

/** A Maven that takes its time, notes each fetch, and puts one jar where the real one would. */
function installMaven(exitCode = 0): void {
  const script = `#!/bin/sh
case "$*" in *--version*) exit 0;; esac
for argument; do case "$argument" in -DoutputDirectory=*) out=\${argument#*=};; esac; done
echo fetched >>'${directory}/fetches'
sleep 0.2
echo jar >"$out/kafka.jar"
echo 'no route to the repository' >&2
exit ${exitCode}
`
  mkdirSync(join(directory, 'bin'))
  writeFileSync(join(directory, 'bin', 'mvn'), script, { mode: 0o755 })
  vi.stubEnv('PATH', `${join(directory, 'bin')}:${process.env.PATH}`)
}

const fetches = () => readFileSync(join(directory, 'fetches'), 'utf8').trim().split('\n').length

test('the jars are fetched once', async () => {
  installMaven()
  const told: string[] = []
  const first = await kafkaJars('4.3.0', { onProgress: (text) => told.push(text) })
  const second = await kafkaJars('4.3.0', { onProgress: (text) => told.push(text) })
  expect(second).toBe(first)
  expect(readdirSync(first)).toContain('kafka.jar')
  expect(fetches()).toBe(1)
  expect(told).toHaveLength(1)
})

test('two that fetch at the same time both get whole jars and leave nothing else behind', async () => {
  installMaven()
  const [first, second] = await Promise.all([kafkaJars('4.3.0'), kafkaJars('4.3.0')])
  expect(fetches()).toBe(2)
  expect(second).toBe(first)
  expect(readdirSync(first)).toContain('kafka.jar')
  expect(readdirSync(cache).map((name) => join(cache, name))).toEqual([first])
})

test('a fetch that fails says what Maven said and leaves nothing that could be taken for jars', async () => {
  installMaven(1)
  await expect(kafkaJars('4.3.0')).rejects.toMatchObject({
    code: 'LOCAL_KAFKA_UNAVAILABLE',
    message: expect.stringContaining('no route to the repository'),
  })
  expect(readdirSync(cache)).toEqual([])
})

test('what a killed fetch has left is removed by the next, what a running one is at is not', async () => {
  installMaven()
  const abandoned = join(cache, 'kafka-4.3.0-1.fetching-999999999-x')
  const underWay = join(cache, `kafka-4.3.0-1.fetching-${process.pid}-x`)
  for (const path of [abandoned, underWay]) mkdirSync(path, { recursive: true })
  const jars = await kafkaJars('4.3.0')
  expect(
    readdirSync(cache)
      .map((name) => join(cache, name))
      .sort(),
  ).toEqual([jars, underWay].sort())
})

test('without Maven the error names it', async () => {
  vi.stubEnv('PATH', '/nowhere')
  await expect(kafkaJars('4.3.0')).rejects.toMatchObject({
    code: 'LOCAL_KAFKA_UNAVAILABLE',
    message: expect.stringContaining('Maven (mvn) was not found'),
  })
})

test('something that is no version does not reach a path or Maven', async () => {
  await expect(kafkaJars('../4.3.0')).rejects.toMatchObject({ code: 'LOCAL_KAFKA_UNAVAILABLE' })
})

test('the cache is where XDG says, else in the home directory', () => {
  expect(cacheDirectory({ XDG_CACHE_HOME: '/cache' })).toBe('/cache/login-stats')
  expect(cacheDirectory({})).toMatch(/\.cache\/login-stats$/)
})
