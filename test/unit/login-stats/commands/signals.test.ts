import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'

const launcher = join(import.meta.dirname, '../../../../bin/login-stats')

/** A command under way where no Kafka is; resolves when it has said that it waits for it. */
async function waiting(args: readonly string[], settings: Record<string, string> = {}) {
  const stateDir = mkdtempSync(join(tmpdir(), 'login-stats-signals-'))
  const child = spawn(launcher, args, {
    // A port that nobody listens on, for who listens must be root.
    env: {
      PATH: process.env.PATH,
      KAFKA_BROKERS: '127.0.0.1:1',
      STATE_DIR: stateDir,
      HTTP_PORT: '',
      ...settings,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
    rmSync(stateDir, { recursive: true, force: true })
  })
  let said = ''
  const isWaiting = Promise.withResolvers<void>()
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data) => {
      said += data
      if (/waiting/i.test(said)) isWaiting.resolve()
    })
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal }))
  await Promise.race([isWaiting.promise, ended])
  return { child, ended, said: () => said }
}

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)(
  'a command that waits for Kafka is ended by %s with %i; the processor in order',
  async (signal, interrupted) => {
    const commands = [['table'], ['verify'], ['dlq', 'list'], ['dlq', 'replay'], ['run']]
    const ended = commands.map(async (args) => {
      const { child, ended, said } = await waiting(args)
      child.kill(signal)
      const code = args[0] === 'run' ? 0 : interrupted
      expect(await ended, `${args}: ${said()}`).toEqual({ code, signal: null })
      if (code === 0) expect(lastLine(said())).toMatchObject({ ...endLine, exitCode: 0, reason: signal })
    })
    await Promise.all(ended)
  },
  60_000,
)

test('the last line of the processor tells with which error it ends', async () => {
  const { ended, said } = await waiting(['run'], { STATE_DIR: '/dev/null/state', LOG_LEVEL: 'warn' })
  expect(await ended).toEqual({ code: 1, signal: null })
  const [line = ''] = said()
    .split('\n')
    .filter((each) => each.startsWith('{'))
  expect(lastLine(line)).toMatchObject({ ...endLine, exitCode: 1, reason: 'STATE_DIR_UNUSABLE' })
})

const endLine = { msg: 'The processor ends' }

function lastLine(text: string): object {
  return JSON.parse(text.trim().split('\n').at(-1) ?? '')
}
