import { describe, expect, test } from 'vitest'
import { CodedError } from '../../../src/errors.ts'
import { systemClock } from '../../../src/system/clock.ts'
import { environment } from '../../../src/system/environment.ts'
import { createLogger } from '../../../src/system/logger.ts'
import { systemRandom } from '../../../src/system/random.ts'

describe('the system clock', () => {
  test('runs a timer once after its delay, and never when cancelled', async () => {
    const calls: string[] = []
    systemClock.setTimer(5, () => calls.push('kept'))
    const cancel = systemClock.setTimer(5, () => calls.push('cancelled'))
    cancel()
    const start = systemClock.monotonic()
    await systemClock.sleep(30)
    expect(calls).toEqual(['kept'])
    expect(systemClock.monotonic() - start).toBeGreaterThan(25)
  })

  test('yields to what waits in the event loop', async () => {
    let ran = false
    setImmediate(() => {
      ran = true
    })
    await systemClock.yield()
    expect(ran).toBe(true)
  })

  test('tells milliseconds since 1970', () => {
    expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1000)
  })
})

describe('system randomness', () => {
  test('gives different URL-safe identifiers of at least 22 characters', () => {
    const ids = Array.from({ length: 1000 }, () => systemRandom.id())
    expect(new Set(ids).size).toBe(1000)
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_-]{22,}$/)
  })

  test('gives numbers in [0, 1)', () => {
    for (let i = 0; i < 1000; i += 1) {
      const value = systemRandom.next()
      expect(value >= 0 && value < 1).toBe(true)
    }
  })
})

describe('the logger', () => {
  function logged(level: 'debug' | 'info', write: (log: ReturnType<typeof createLogger>) => void) {
    const lines: Record<string, unknown>[] = []
    write(createLogger({ level, destination: { write: (line) => lines.push(JSON.parse(line)) } }))
    return lines
  }

  test('writes a line of JSON per event, with the fields of its parents', () => {
    const lines = logged('info', (log) => log.child({ task: '0_3' }).info({ records: 7 }, 'Committed'))
    expect(lines).toMatchObject([{ task: '0_3', records: 7, msg: 'Committed' }])
  })

  test('leaves out what is below its level', () => {
    const lines = logged('info', (log) => {
      log.debug({}, 'no')
      log.warn({}, 'yes')
    })
    expect(lines.map((line) => line.msg)).toEqual(['yes'])
  })

  test.each(['err', 'error'])('writes the code and stack of an error in the field %s', (field) => {
    const error = new CodedError('TASK_MIGRATED', { operation: 'Heartbeat' })
    const [line] = logged('info', (log) => log.error({ [field]: error }, 'Lost'))
    expect(line?.[field]).toMatchObject({
      code: 'TASK_MIGRATED',
      stack: expect.stringContaining('CodedError'),
    })
  })
})

test('the environment is a copy', () => {
  const variables = environment()
  expect(variables.PATH).toBe(process.env.PATH)
  expect(variables).not.toBe(process.env)
})
