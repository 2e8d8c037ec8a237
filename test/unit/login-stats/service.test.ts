/** A service whose processor needs no Kafka: how it ends. */
import { afterEach, expect, test, vi } from 'vitest'
import { closeWithinMs } from '../../../src/login-stats/closing.ts'
import { loadConfig } from '../../../src/login-stats/config/index.ts'
import { FollowedTable } from '../../../src/login-stats/follow/followed-table.ts'
import type { Processor } from '../../../src/login-stats/processor.ts'
import { run } from '../../../src/login-stats/run.ts'
import { openService, type Service } from '../../../src/login-stats/service.ts'
import { StopRequest } from '../../../src/login-stats/stop-request.ts'
import type { Log } from '../../../src/ports/log.ts'
import { systemClock } from '../../../src/system/clock.ts'
import { cleanUpAll, cleanUpLater } from '../../support/clean-ups.ts'

const never = (): Promise<void> => new Promise(() => undefined)
const processor = vi.hoisted(() => ({
  end: Promise.withResolvers<void>(),
  close: (): Promise<void> => Promise.resolve(),
}))

vi.mock('../../../src/login-stats/processor.ts', () => ({
  openProcessor: async (): Promise<Processor> => ({
    ...{ instanceId: 'a', cacheDirectory: 'nowhere', storeSizeInBytes: async () => 0, ask: async () => [] },
    ...{ status: () => [], isAssigned: () => true, threadRestarts: () => 0, hasWorkers: false },
    run: () => processor.end.promise,
    stop: () => processor.end.resolve(),
    close: () => processor.close(),
  }),
}))

afterEach(async () => {
  vi.restoreAllMocks()
  await cleanUpAll()
})

const config = loadConfig({ HTTP_PORT: '0', INSIGHTS_TOPIC: '', KAFKA_BROKERS: '127.0.0.1:1' })
const logTo = { level: 'silent' as const }

async function started(warnings: string[] = []): Promise<{ service: Service; ended: Promise<void> }> {
  processor.end = Promise.withResolvers()
  const warn = (_: object, message: string) => void warnings.push(message)
  const log: Log = { debug() {}, info() {}, error() {}, warn, child: () => log }
  const service = await openService({ config, logTo }, log)
  cleanUpLater(() => service.stop())
  const ended = service.run()
  const url = `http://127.0.0.1:${service.httpPort}/readyz`
  await expect.poll(async () => (await fetch(url)).status).toBe(200)
  return { service, ended }
}

test('a table that does not close is left alone; the HTTP server and the processor are closed all the same', async () => {
  const close = vi.fn(async () => undefined)
  processor.close = close
  const warnings: string[] = []
  const { service, ended } = await started(warnings)
  vi.spyOn(FollowedTable.prototype, 'close').mockImplementation(never)
  const url = `http://127.0.0.1:${service.httpPort}/livez`
  service.stop()
  await ended
  const startedAt = systemClock.monotonic()
  await service.close()
  expect(systemClock.monotonic() - startedAt).toBeLessThan(5 * closeWithinMs)
  expect(close).toHaveBeenCalledOnce()
  expect(warnings).toEqual([expect.stringContaining('the table')])
  await expect(fetch(url)).rejects.toThrow()
})

test('a processor that does not close is a failure, which is told by who ran it', async () => {
  processor.close = never
  const { service, ended } = await started()
  service.stop()
  await ended
  await expect(service.close()).rejects.toMatchObject({ code: 'STALLED' })
})

test('what has ended the processor is told, and not that it could not be closed after that', async () => {
  processor.end = Promise.withResolvers()
  processor.close = () => Promise.reject(new Error('nor can it be closed'))
  const running = run({ config, logTo }, new StopRequest())
  processor.end.reject(new Error('what happened first'))
  await expect(running).rejects.toThrow('what happened first')
})
