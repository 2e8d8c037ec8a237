/** Ctrl-C before the demo has its Kafka. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../../src/system/clock.ts'

const launcher = join(import.meta.dirname, '../../../bin/login-stats')

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'login-stats-demo-stop-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** Interrupts the demo once it has said this; resolves when it has ended. */
async function interruptedAt(said: RegExp, environment: Record<string, string>) {
  const child = spawn(launcher, ['demo'], {
    env: { PATH: process.env.PATH, HTTP_PORT: '0', ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let err = ''
  child.stderr.on('data', (data) => {
    err += data
  })
  const ended = once(child, 'close')
  await expect.poll(() => err).toMatch(said)
  await systemClock.sleep(300)
  const from = systemClock.monotonic()
  child.kill('SIGINT')
  const [exitCode] = await ended
  return { exitCode, err, tookMs: systemClock.monotonic() - from }
}

test('the demo ends while Kafka is being fetched, and what fetches it ends too', async () => {
  const [home, bin, temporary] = [newDirectory(), newDirectory(), newDirectory()]
  const pidFile = join(home, 'pid')
  const programs = {
    java: 'echo \'openjdk version "21"\' >&2',
    mvn: `[ "$1" = --version ] && exit; echo $$ > '${pidFile}'; exec sleep 60`,
  }
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`)
    chmodSync(join(bin, name), 0o755)
  }
  const { exitCode, err } = await interruptedAt(/Fetching|Starting/, {
    ...{ PATH: `${bin}:${process.env.PATH}`, HOME: home, XDG_CACHE_HOME: home, TMPDIR: temporary },
  })
  expect([exitCode, err]).toEqual([0, expect.stringMatching(/Stopping \.\.\.\n$/)])
  // Where Docker answers it is not Maven that fetches.
  if (err.includes('Docker')) return
  const pid = Number(readFileSync(pidFile, 'utf8'))
  expect(() => process.kill(pid, 0)).toThrow('ESRCH')
  expect(readdirSync(join(home, 'login-stats'))).toEqual([])
  expect(readdirSync(temporary).filter((name) => name.startsWith('login-stats'))).toEqual([])
})

test('the demo ends while it waits for a Kafka that is not its own, and nothing keeps its process', async () => {
  // A port that nobody listens on, for who listens must be root.
  const { exitCode, err, tookMs } = await interruptedAt(/Waiting for Kafka/, { KAFKA_BROKERS: '127.0.0.1:1' })
  expect([exitCode, err]).toEqual([0, expect.stringMatching(/Stopping \.\.\.\n$/)])
  expect(tookMs).toBeLessThan(4000)
})
