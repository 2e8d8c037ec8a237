import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { CodedError } from '../../../../src/errors.ts'
import { commandList } from '../../../../src/login-stats/commands/command-list.ts'
import type { CommandContext, CommandFactory } from '../../../../src/login-stats/commands/context.ts'
import { exitCodes } from '../../../../src/login-stats/commands/exit-codes.ts'
import { linesOf } from '../../../../src/login-stats/commands/json-lines.ts'
import { runProgram } from '../../../../src/login-stats/commands/program.ts'
import { runCommand } from '../../../../src/login-stats/commands/run.ts'
import { settingList } from '../../../../src/login-stats/config/index.ts'
import { StopRequest } from '../../../../src/login-stats/stop-request.ts'
import { systemClock } from '../../../../src/system/clock.ts'
import { systemRandom } from '../../../../src/system/random.ts'

interface Result {
  readonly exitCode: number
  readonly out: string
  readonly err: string
}

async function run(
  args: string[],
  environment: Record<string, string> = {},
  commands: readonly CommandFactory[] = commandList,
  drained: () => Promise<void> = async () => undefined,
): Promise<Result> {
  let out = ''
  let err = ''
  const context: CommandContext = {
    environment,
    out: {
      write: (text) => {
        out += text
      },
      drained,
      isGone: false,
    },
    err: {
      write: (text) => {
        err += text
      },
      drained: async () => undefined,
      isGone: false,
    },
    clock: systemClock,
    random: systemRandom,
    createLog: () => {
      throw new Error('no log is needed')
    },
    stop: new StopRequest(),
  }
  const exitCode = await runProgram(args, context, '1.2.3', commands)
  return { exitCode, out, err }
}

const failing =
  (error: unknown): CommandFactory =>
  () =>
    new Command('fail').action(() => {
      throw error
    })

describe('the program', () => {
  it('has help for each command', async () => {
    const names = commandList.map((factory) => factory({} as never).name())
    for (const command of names) {
      const { exitCode, out } = await run([command, '--help'])
      expect(exitCode).toBe(exitCodes.ok)
      expect(out).toContain(`Usage: login-stats ${command}`)
    }
    expect(names).toContain('verify')
  })

  it('prints its version', async () => {
    expect(await run(['--version'])).toEqual({ exitCode: 0, out: '1.2.3\n', err: '' })
  })

  it.each([
    [['nonsense']],
    [['config', '--nonsense']],
    [['generate', '--rate', 'fast']],
    [['generate', '--invalid', '101%']],
    [['generate', '--skew', '-1']],
    [['table', '--top', '3', '--least', '3']],
    [['topics', 'create', '--partitions', '0']],
  ])('refuses %j as wrong usage', async (args) => {
    const { exitCode, out, err } = await run(args)
    expect(exitCode).toBe(exitCodes.usage)
    expect(out).toBe('')
    expect(err).toContain('error:')
  })

  it('takes a wrong configuration for wrong usage, and lists what is wrong', async () => {
    const { exitCode, err } = await run(['table'], { APP_ID: '?', HTTP_PORT: 'x' })
    expect(exitCode).toBe(exitCodes.usage)
    expect(err).toMatch(/^CONFIG_INVALID/)
    expect(err).toContain('- APP_ID=?:')
    expect(err).toContain('- HTTP_PORT=x:')
  })

  it('shows what a health check is answered without its control characters', async () => {
    const server = createServer((_, response) => void response.end('ok\u001b[2J'))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    onTestFinished(() => void server.close())
    const { port } = server.address() as AddressInfo
    const { exitCode, out } = await run(['health', '--url', `http://127.0.0.1:${port}`])
    expect({ exitCode, out }).toEqual({ exitCode: exitCodes.ok, out: 'ok\\x1b[2J\n' })
  })

  it('prints an error with what, where and hint, and its stack only where it is asked for', async () => {
    const error = new CodedError('TOPIC_MISSING', { operation: 'look', topic: 'x', cause: new Error('deep') })
    const { exitCode, out, err } = await run(['fail'], {}, [failing(error)])
    expect({ exitCode, out }).toEqual({ exitCode: exitCodes.fault, out: '' })
    expect(err.split('\n')).toEqual([
      'TOPIC_MISSING look',
      '  A topic that must exist does not.',
      '  where: topic x',
      `  hint:  ${error.hint}`,
      '',
    ])
    const debugged = await run(['fail'], { LOG_LEVEL: 'debug' }, [failing(error)])
    expect(debugged.err).toContain('Error: deep\n    at ')
  })

  it('prints nothing of an error that a terminal would obey', async () => {
    const evil = 'a\u001b[2J\u009b'
    const error = new CodedError('INTERNAL', {
      ...{ operation: evil, topic: evil, detail: `${evil}\n- b`, hint: evil },
      cause: new Error(evil),
    })
    const { err } = await run(['fail'], { LOG_LEVEL: 'debug' }, [failing(error)])
    expect(err.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
    expect(err).toContain('  a\\x1b[2J\\x9b\n- b\n')
  })

  it.each([[['--version']], [['config']], [['nonsense']]])(
    'ends %j when its output is taken',
    async (args) => {
      const taken = Promise.withResolvers<void>()
      let hasEnded = false
      const running = run(args, {}, commandList, () => taken.promise).then(() => {
        hasEnded = true
      })
      await systemClock.sleep(50)
      expect(hasEnded).toBe(false)
      taken.resolve()
      await running
    },
  )

  it('has failed where its output cannot be written', async () => {
    const failure = new CodedError('OUTPUT_FAILED', { operation: 'write standard output' })
    const { exitCode, err } = await run(['config'], {}, commandList, () => Promise.reject(failure))
    expect(exitCode).toBe(exitCodes.fault)
    expect(err).toMatch(/^OUTPUT_FAILED write standard output\n/)
  })

  it('takes an error without a code for a fault of its own', async () => {
    const { exitCode, err } = await run(['fail'], {}, [failing(new TypeError('oops'))])
    expect(exitCode).toBe(exitCodes.fault)
    expect(err).toMatch(/^INTERNAL login-stats\n {2}TypeError: oops\n/)
  })
})

describe('config', () => {
  it('prints every setting as JSON', async () => {
    const { exitCode, out } = await run(['config', '--json'], { APP_ID: 'mine' })
    expect(exitCode).toBe(exitCodes.ok)
    const rows: { variable: string; value: string }[] = JSON.parse(out)
    expect(rows).toHaveLength(settingList.length)
    expect(rows).toContainEqual(
      expect.objectContaining({ variable: 'APP_ID', value: 'mine', from: 'environment' }),
    )
  })

  it('prints a line for each setting, and hides secrets', async () => {
    const { out } = await run(['config'], {
      KAFKA_SECURITY_PROTOCOL: 'SASL_SSL',
      KAFKA_SASL_MECHANISM: 'PLAIN',
      KAFKA_SASL_USERNAME: 'me',
      KAFKA_SASL_PASSWORD: 'sesame',
    })
    for (const { variable } of settingList) expect(out).toMatch(new RegExp(`^ *${variable} `, 'm'))
    expect(out).not.toContain('sesame')
    expect(out).not.toContain('\u001b')
  })
})

describe('run', () => {
  it('gives the configuration to the processor, and resolves when it has stopped', async () => {
    const seen: string[] = []
    const command = runCommand(async () => ({
      run: async ({ config }) => {
        seen.push(config.appId)
      },
    }))
    expect((await run(['run'], { APP_ID: 'mine' }, [command])).exitCode).toBe(exitCodes.ok)
    expect(seen).toEqual(['mine'])
  })
})

describe('linesOf', () => {
  const directory = mkdtempSync(join(tmpdir(), 'login-stats-lines-'))
  afterAll(() => rmSync(directory, { recursive: true }))

  async function linesIn(content: Buffer): Promise<Buffer[]> {
    const path = join(directory, 'lines')
    writeFileSync(path, content)
    const lines: Buffer[] = []
    for await (const { value } of linesOf(path, systemClock)) lines.push(value ?? Buffer.alloc(0))
    return lines
  }

  it('gives the bytes of each line, whatever they are', async () => {
    const bytes = Buffer.from([0x7b, 0xff, 0x0d, 0x0a, 0x0a, 0x61, 0x0d, 0x62, 0x0a, 0x63])
    expect(await linesIn(bytes)).toEqual([Buffer.from([0x7b, 0xff]), Buffer.from('a\rb'), Buffer.from('c')])
    expect(await linesIn(Buffer.alloc(0))).toEqual([])
  })

  it('joins lines that lie across chunks', async () => {
    const long = Buffer.alloc(200_000, 'x')
    expect(await linesIn(Buffer.concat([long, Buffer.from('\ny\n')]))).toEqual([long, Buffer.from('y')])
  })

  it('names a file that cannot be read', async () => {
    await expect(linesOf('/nowhere/file', systemClock).next()).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      details: { path: '/nowhere/file' },
    })
  })
})
