import { expect, test } from 'vitest'
import { closeInTime, closeParts, closeWithinMs, type Part } from '../../../src/login-stats/closing.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Log } from '../../../src/ports/log.ts'
import { systemClock } from '../../../src/system/clock.ts'

/** Its timers are due at once. */
const hasty: Clock = {
  ...systemClock,
  setTimer: (delayMs, callback) => systemClock.setTimer(delayMs === closeWithinMs ? 20 : delayMs, callback),
}
const never = (): Promise<void> => new Promise(() => undefined)

test('a part that does not close, or fails, is told of and left alone; the others are closed in their order', async () => {
  const closed: string[] = []
  const told: { readonly code: string; readonly message: string }[] = []
  const log = {
    warn: ({ error }: { error: { code: string } }, message: string) =>
      void told.push({ code: error.code, message }),
  } as unknown as Log
  const part = (name: string): Part => ({ name, close: async () => void closed.push(name) })
  const failing = { name: 'the insights', close: () => Promise.reject(new Error('the broker')) }
  const parts = [part('a'), { name: 'the table', close: never }, part('b'), failing, part('c')]
  await closeParts(parts, hasty, log)
  expect(closed).toEqual(['a', 'b', 'c'])
  expect(told.map(({ code }) => code)).toEqual(['STALLED', 'INTERNAL'])
  expect(told[0]?.message).toContain('the table')
  expect(told[1]?.message).toContain('the insights')
})

test('a part that must close is a failure where it does not', async () => {
  const closing = closeInTime({ name: 'the processor', close: never }, hasty)
  await expect(closing).rejects.toMatchObject({ code: 'STALLED', behaviour: 'stop' })
  await expect(closeInTime({ name: 'x', close: async () => undefined }, hasty)).resolves.toBeUndefined()
})
