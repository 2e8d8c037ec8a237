import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../../src/system/clock.ts'

const module = join(import.meta.dirname, '../../../src/system/standard-stream.ts')

/** A process that runs `script` with a StandardStream `out`, and tells on standard error. */
function processWith(script: string, stdout: 'pipe' | number = 'pipe') {
  const source = `
    import { StandardStream } from '${module}'
    const out = new StandardStream(process.stdout, 'standard output')
    ${script}`
  const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', source], {
    stdio: ['ignore', stdout, 'pipe'],
  })
  if (child.stderr === null) throw new Error('no standard error')
  const told = text(child.stderr)
  return { child, ended: once(child, 'close').then(async ([exitCode]) => ({ exitCode, err: await told })) }
}

/** More than a pipe holds. */
const much = `'x'.repeat(1_000_000)`

describe('standard output', () => {
  test('reaches a slow reader whole, though the process ends itself', async () => {
    const { child, ended } = processWith(`out.write(${much}); await out.drained(); process.exit()`)
    await systemClock.sleep(500)
    expect(child.exitCode).toBeNull()
    if (child.stdout === null) throw new Error('no standard output')
    expect((await text(child.stdout)).length).toBe(1_000_000)
    expect(await ended).toEqual({ exitCode: 0, err: '' })
  })

  test('is drained, and says so, where its reader has closed its end', async () => {
    const { child, ended } = processWith(`
      while (!out.isGone) { out.write(${much}); await out.drained() }
      out.write('more')
      await out.drained()
      console.error('gone')`)
    if (child.stdout === null) throw new Error('no standard output')
    await once(child.stdout, 'data')
    child.stdout.destroy()
    expect(await ended).toEqual({ exitCode: 0, err: 'gone\n' })
  })

  test.skipIf(process.platform !== 'linux')('names what keeps it from being written', async () => {
    const full = openSync('/dev/full', 'w')
    const { ended } = processWith(
      `out.write('text'); await out.drained().catch(({ code, message }) => console.error(code, message))`,
      full,
    )
    closeSync(full)
    const { exitCode, err } = await ended
    expect(exitCode).toBe(0)
    expect(err).toContain(
      'OUTPUT_FAILED OUTPUT_FAILED: write standard output: It could not be written (ENOSPC',
    )
  })
})
