import { expect, test } from 'vitest'
import { LoginStatsTable } from '../../../../src/login-stats/table/index.ts'

test('an opening that finds no broker can be given up, and tells a log like the console why it waits', async () => {
  const told: string[] = []
  const tell = (_fields: object, message: string) => void told.push(message)
  const log = { debug: tell, info: tell, warn: tell, error: tell } satisfies Partial<Console>
  const brokers = '127.0.0.1:1'
  const opening = LoginStatsTable.open({ brokers, log, signal: AbortSignal.timeout(8000) })
  await expect(opening).rejects.toMatchObject({ name: 'TimeoutError' })
  expect(told.length).toBeGreaterThan(0)
  const late = LoginStatsTable.open({ brokers, log: console, signal: AbortSignal.abort() })
  await expect(late).rejects.toMatchObject({ name: 'AbortError' })
})
