import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { startWatched } from '../../../src/local-kafka/watched-process.ts'

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'watched-'))
})

afterEach(() => rmSync(directory, { recursive: true, force: true }))

const isRunning = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const sleeping = (seconds: string) =>
  startWatched('sleep', [seconds], { directory, output: process.stderr.fd })

describe('a program', () => {
  test('that ends by itself gives its exit code and keeps the directory', async () => {
    const shell = await startWatched('sh', ['-c', 'exit 7'], { directory, output: process.stderr.fd })
    expect(await shell.ended).toBe(7)
    expect(shell.running).toBe(false)
    expect(existsSync(directory)).toBe(true)
  })

  test.each([
    ['SIGTERM', 143],
    ['SIGKILL', 137],
  ] as const)('that is ended by %s says so and keeps the directory', async (name, code) => {
    const program = await sleeping('600')
    expect(program.running && isRunning(program.pid)).toBe(true)
    program.signal(name)
    expect(await program.ended).toBe(code)
    expect(isRunning(program.pid)).toBe(false)
    expect(existsSync(directory)).toBe(true)
  })

  test('that has ended is not signalled', async () => {
    const program = await sleeping('0')
    await program.ended
    program.signal('SIGKILL')
  })

  test('gets its input and gives its output', async () => {
    const cat = await startWatched('cat', [], { stdin: 'pipe', output: 'pipe' })
    cat.stdin?.end('some text')
    expect(await text(cat.stdout!)).toBe('some text')
    expect(await cat.ended).toBe(0)
  })
})

describe('a program ends, and its directory with it, when its parent', () => {
  /** A process that starts a watched `sleep`, does `rest`, and writes the pid. */
  async function parentOf(rest: string, options: { readonly detached?: boolean } = {}) {
    const module = join(import.meta.dirname, '../../../src/local-kafka/watched-process.ts')
    const script = `
      import { startWatched } from ${JSON.stringify(module)}
      const program = await startWatched('sleep', ['600'], { directory: ${JSON.stringify(directory)}, output: 2 })
      ${rest}
      process.stdout.write(program.pid + '\\n')`
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
      ...options,
    })
    const [line] = await once(parent.stdout, 'data')
    return { parent, pid: Number(line) }
  }

  const gone = (pid: number) =>
    vi.waitFor(
      () => {
        expect(isRunning(pid)).toBe(false)
        expect(existsSync(directory)).toBe(false)
      },
      { timeout: 20_000 },
    )

  const forever = 'setInterval(() => {}, 1000)'

  test.each(['SIGKILL', 'SIGTERM', 'SIGINT'] as const)('is ended by %s', async (name) => {
    const { parent, pid } = await parentOf(forever)
    expect(isRunning(pid)).toBe(true)
    parent.kill(name)
    await gone(pid)
  })

  test('is killed while the program is stopped', async () => {
    const { parent, pid } = await parentOf(`program.signal('SIGSTOP'); ${forever}`)
    parent.kill('SIGKILL')
    await gone(pid)
  })

  test('exits', async () => {
    const { pid } = await parentOf('setImmediate(() => process.exit(0))')
    await gone(pid)
  })

  test('has nothing more to do', async () => {
    const { pid } = await parentOf('')
    await gone(pid)
  })

  test('gets Ctrl-C, not before it: the signal to its group does not reach the program', async () => {
    const ignoring = `process.on('SIGINT', () => process.stdout.write('interrupted')); ${forever}`
    const { parent, pid } = await parentOf(ignoring, { detached: true })
    process.kill(-(parent.pid ?? 0), 'SIGINT')
    await once(parent.stdout, 'data')
    expect(isRunning(pid)).toBe(true)
    parent.kill('SIGKILL')
    await gone(pid)
  })
})
