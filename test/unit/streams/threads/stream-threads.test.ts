import { expect, test } from 'vitest'
import { CodedError } from '../../../../src/errors.ts'
import type { Log } from '../../../../src/ports/log.ts'
import type { Thread } from '../../../../src/ports/threads.ts'
import { StreamThreads } from '../../../../src/streams/threads/stream-threads.ts'
import { type FromThread, toPlain } from '../../../../src/streams/threads/thread-messages.ts'
import { systemClock } from '../../../../src/system/clock.ts'

/** A thread that does what the test says. */
class ScriptedThread implements Thread {
  readonly data: unknown
  readonly heard: unknown[] = []
  readonly ended: Promise<Error | null>
  isTerminated = false
  readonly #end: (error: Error | null) => void
  #listener: (message: unknown) => void = () => {}

  constructor(data: unknown) {
    this.data = data
    const { promise, resolve } = Promise.withResolvers<Error | null>()
    this.ended = promise
    this.#end = resolve
  }

  send(message: unknown): void {
    this.heard.push(message)
  }

  onMessage(listener: (message: unknown) => void): void {
    this.#listener = listener
  }

  terminate(): void {
    this.isTerminated = true
    this.#end(null)
  }

  says(message: FromThread): void {
    this.#listener(message)
  }

  endsInOrder(): void {
    this.says({ type: 'ended', error: null })
    this.#end(null)
  }

  failsWith(error: CodedError): void {
    this.says({ type: 'ended', error: toPlain(error) })
    this.#end(null)
  }

  crashes(): void {
    this.#end(new Error('out of memory'))
  }
}

const status = (task: string, taskCount: number | null = null): FromThread => {
  const standing = { task, state: 'running', lag: 0, lagSeconds: 0, isCaughtUp: true, restore: null } as const
  const tasks = [{ ...standing, storeEntries: null, uncommittedBytes: 0 }]
  return { type: 'status', tasks, taskCount, isAssigned: true }
}

function startThreads(count: number, { maxStallMs = 60_000, atMostTasks = false } = {}) {
  const threads: ScriptedThread[] = []
  const errors: object[] = []
  const log = { error: (fields: object) => errors.push(fields), warn: () => {}, info: () => {} }
  const supervisor = new StreamThreads({
    host: {
      start: (data) => {
        const thread = new ScriptedThread(data)
        threads.push(thread)
        return thread
      },
    },
    count,
    atMostTasks,
    dataOf: (index) => index,
    maxStallMs,
    clock: systemClock,
    log: log as unknown as Log,
  })
  const ended = supervisor.run()
  // Awaited by the test, later.
  ended.catch(() => undefined)
  return { supervisor, threads, errors, ended }
}

test('each thread gets its data; what they tell is put together; stop reaches all of them', async () => {
  const { supervisor, threads, ended } = startThreads(2)
  expect(threads.map(({ data }) => data)).toEqual([0, 1])
  threads[0]?.says(status('0_0'))
  threads[1]?.says(status('1_0'))
  expect(supervisor.status().map(({ task }) => task)).toEqual(['0_0', '1_0'])
  supervisor.stop()
  for (const thread of threads) {
    expect(thread.heard).toEqual([{ type: 'stop' }])
    thread.endsInOrder()
  }
  await expect(ended).resolves.toBeUndefined()
  expect(supervisor.status()).toEqual([])
})

test('there are no more threads than tasks, once their number is known', async () => {
  const { supervisor, threads, ended } = startThreads(8, { atMostTasks: true })
  expect(threads).toHaveLength(2)
  threads[0]?.says(status('0_0', 5))
  threads[1]?.says(status('0_1', 5))
  expect(threads.map(({ data }) => data)).toEqual([0, 1, 2, 3, 4])
  supervisor.stop()
  for (const thread of threads) thread.endsInOrder()
  await expect(ended).resolves.toBeUndefined()
})

test('one that crashes is reported and started again in its place; the others do not hear of it', async () => {
  const { supervisor, threads, errors, ended } = startThreads(2)
  threads[1]?.crashes()
  await expect.poll(() => threads.length).toBe(3)
  expect(threads[2]?.data).toBe(1)
  expect(errors).toEqual([expect.objectContaining({ thread: 1 })])
  expect(threads[0]?.heard).toEqual([])
  threads[2]?.failsWith(new CodedError('INTERNAL', { operation: 'process a record' }))
  await expect.poll(() => threads.length).toBe(4)
  supervisor.stop()
  threads[0]?.endsInOrder()
  threads[3]?.endsInOrder()
  await expect(ended).resolves.toBeUndefined()
})

test('a thread that crashes again and again ends the process', async () => {
  const { threads, ended } = startThreads(2)
  for (let crashes = 1; crashes <= 4; crashes++) {
    await expect.poll(() => threads.length).toBe(crashes + 1)
    threads[crashes]?.crashes()
  }
  await expect.poll(() => threads[0]?.heard).toEqual([{ type: 'stop' }])
  threads[0]?.endsInOrder()
  await expect(ended).rejects.toMatchObject({ code: 'INTERNAL' })
  expect(threads).toHaveLength(5)
})

test('what one cannot survive ends all, in order, with its error', async () => {
  const { threads, ended } = startThreads(3)
  const failure = new CodedError('STORE_WRITE_FAILED', { operation: 'commit', path: '/state', task: '1_0' })
  threads[1]?.failsWith(failure)
  await expect.poll(() => threads[2]?.heard).toEqual([{ type: 'stop' }])
  threads[0]?.endsInOrder()
  threads[2]?.endsInOrder()
  await expect(ended).rejects.toMatchObject({ code: 'STORE_WRITE_FAILED', message: failure.message })
})

test('a thread that says nothing is ended where it stands', async () => {
  const { threads, ended } = startThreads(2, { maxStallMs: 300 })
  const talking = setInterval(() => threads[0]?.says(status('0_0')), 50)
  await expect.poll(() => threads[1]?.isTerminated).toBe(true)
  clearInterval(talking)
  threads[0]?.endsInOrder()
  await expect(ended).rejects.toMatchObject({ code: 'STALLED' })
})
