import { expect, test } from 'vitest'
import type { Clock } from '../../../../src/ports/clock.ts'
import { WakeUp } from '../../../../src/ports/wake-up.ts'
import { StreamThread } from '../../../../src/streams/runtime/stream-thread.ts'
import type { TaskEnvironment } from '../../../../src/streams/task/task-environment.ts'

/** A clock that stands still until it is told otherwise; timers fire when their time has come. */
class HandClock implements Clock {
  time = 0
  timers: { at: number; callback: () => void }[] = []
  now = (): number => this.time
  monotonic = (): number => this.time
  setTimer(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.time + delayMs, callback }
    this.timers.push(timer)
    return () => {
      this.timers = this.timers.filter((other) => other !== timer)
    }
  }
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.setTimer(delayMs, resolve))
  }
  async yield(): Promise<void> {}
  pass(ms: number): void {
    this.time += ms
    for (const timer of this.timers.filter(({ at }) => at <= this.time)) timer.callback()
  }
}

test('a thread whose loop does not turn is told apart from one that does', () => {
  const clock = new HandClock()
  const environment = {
    clock,
    inputs: { onArrival: () => {} },
    member: { onRejoinNeeded: () => {} },
    log: {},
  } as unknown as TaskEnvironment
  const thread = new StreamThread(environment, { leaveGroupOnStop: true })
  clock.pass(4000)
  thread.assertProgress(5000)
  clock.pass(2000)
  expect(() => thread.assertProgress(5000)).toThrow(expect.objectContaining({ code: 'STALLED' }))
})

test('a sleeper wakes at a call, at its time, and at once if the call came before', async () => {
  const clock = new HandClock()
  const wakeUp = new WakeUp(clock)
  const woken: string[] = []
  const first = wakeUp.wait(100).then(() => woken.push('call'))
  wakeUp.call()
  await first
  const second = wakeUp.wait(100).then(() => woken.push('time'))
  clock.pass(100)
  await second
  wakeUp.call()
  await wakeUp.wait(1_000_000)
  expect(woken).toEqual(['call', 'time'])
  expect(clock.timers).toHaveLength(1)
})
