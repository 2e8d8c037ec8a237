import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../../src/system/clock.ts'

const root = join(import.meta.dirname, '../../..')
const launcher = join(root, 'bin/login-stats')

/** As `docker run` starts it without --init: as process 1 of its own, for which signals that it does not hear do not come. */
const asProcessOne = ['--user', '--map-root-user', '--pid', '--fork', '--kill-child']
const canBe = spawnSync('unshare', [...asProcessOne, 'true']).status === 0

function start(command: readonly string[]): ChildProcess {
  const stateDir = mkdtempSync(join(tmpdir(), 'login-stats-process-one-'))
  const child = spawn('unshare', [...asProcessOne, ...command], {
    // A port that nobody listens on, for who listens must be root.
    env: { PATH: process.env.PATH, KAFKA_BROKERS: '127.0.0.1:1', STATE_DIR: stateDir, HTTP_PORT: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
    rmSync(stateDir, { recursive: true, force: true })
  })
  return child
}

/** The processes below one, by their ids outside. */
function below(pid: number | undefined): number[] {
  const rows = execFileSync('ps', ['--ppid', `${pid}`, '-o', 'pid='], { encoding: 'utf8' })
  return rows.trim().split(/\s+/).map(Number)
}

/** What it has said so far. */
function heard(child: ChildProcess): () => string {
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (data) => {
      said += data
    })
  return () => said
}

/** Signals process 1; resolves with its exit code, and with null if it does not end. */
async function signalled(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const ended = once(child, 'close').then(([code]) => code as number | null)
  const [first = 0] = below(child.pid)
  process.kill(first, signal)
  return await Promise.race([ended, systemClock.sleep(20_000).then(() => null)])
}

describe.skipIf(!canBe)('as process 1', () => {
  test.each([
    ['run', 'SIGTERM', 0],
    ['table', 'SIGINT', 130],
  ] as const)(
    '%s is ended by %s',
    async (command, signal, code) => {
      const child = start([launcher, command])
      await expect.poll(heard(child)).toMatch(/waiting/i)
      expect(await signalled(child, signal)).toBe(code)
    },
    60_000,
  )

  test('the launcher has no child, and is ended by a signal before it has become Node', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'login-stats-launcher-'))
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    const node = join(directory, 'node_modules/.bin/node')
    for (const folder of ['bin', dirname('node_modules/.bin/node'), 'src/login-stats'])
      mkdirSync(join(directory, folder), { recursive: true })
    cpSync(launcher, join(directory, 'bin/login-stats'))
    writeFileSync(join(directory, 'src/login-stats/main.ts'), '')
    const slow = `#!/bin/sh\ncase $1 in --version) echo asked >"$0.asked"; sleep 3; echo v24.0.0;; *) echo "$$" >&2; sleep 9;; esac\n`
    writeFileSync(node, slow, { mode: 0o755 })
    const copy = join(directory, 'bin/login-stats')
    const early = start([copy, 'run'])
    await expect.poll(() => existsSync(`${node}.asked`)).toBe(true)
    expect(await signalled(early, 'SIGTERM')).toBe(143)
    // What the launcher becomes is the same process.
    await expect.poll(heard(start([copy, 'run']))).toBe('1\n')
  }, 60_000)
})

test('nothing is loaded before signals are heard but what hears them', () => {
  const loaded = new Set<string>()
  const load = (file: string): void => {
    if (loaded.has(file)) return
    loaded.add(file)
    for (const [, target = ''] of readFileSync(join(root, file), 'utf8').matchAll(/^import .*from '(.+)'$/gm))
      load(target.startsWith('.') ? join(dirname(file), target) : target)
  }
  load('src/login-stats/main.ts')
  expect([...loaded]).toEqual([
    'src/login-stats/main.ts',
    'src/login-stats/stop-request.ts',
    'src/system/process.ts',
  ])
})
