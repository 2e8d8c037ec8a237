/** A wire that answers by a script, and a clock that jumps. */
import type { CodedError } from '../../../src/errors.ts'
import { Cluster } from '../../../src/kafka/cluster.ts'
import type { PortContext } from '../../../src/kafka/context.ts'
import { Lanes } from '../../../src/kafka/lanes.ts'
import type { ApiName, Apis, SendOptions, Target, Wire } from '../../../src/kafka/wire/wire.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Log } from '../../../src/ports/log.ts'

type Answer<A extends ApiName> = Apis[A]['answer'] | CodedError
type Handler<A extends ApiName> = (
  request: Apis[A]['request'],
  target: Target,
  options: SendOptions,
) => Answer<A> | Promise<Answer<A>>

export interface Call {
  readonly api: ApiName
  readonly target: Target
  readonly request: unknown
  readonly options: SendOptions
}

/** By default: one broker, node 1, that leads and coordinates everything; topics have four partitions. */
export class ScriptedWire implements Wire {
  readonly calls: Call[] = []
  private readonly handlers = new Map<ApiName, Handler<ApiName>>()

  constructor() {
    this.on('Metadata', ({ topics }) => metadata(topics ?? []))
    this.on('FindCoordinator', () => ({ errorCode: 0, nodeId: 1, host: 'broker', port: 9092 }))
  }

  on<A extends ApiName>(api: A, handler: Handler<A>): void {
    this.handlers.set(api, handler as unknown as Handler<ApiName>)
  }

  /** Answers in turn; the last one again and again. */
  script<A extends ApiName>(api: A, ...answers: Answer<A>[]): void {
    let next = 0
    this.on(api, () => answers[Math.min(next++, answers.length - 1)] as Answer<A>)
  }

  async send<A extends ApiName>(target: Target, api: A, request: Apis[A]['request'], options: SendOptions) {
    this.calls.push({ api, target, request, options })
    const handler = this.handlers.get(api)
    if (handler === undefined) throw new Error(`The script has no answer to ${api}`)
    const answer = await handler(request, target, options)
    if (answer instanceof Error) throw answer
    return answer as Apis[A]['answer']
  }

  async close(): Promise<void> {}

  sent(api: ApiName): Call[] {
    return this.calls.filter((call) => call.api === api)
  }

  requests<A extends ApiName>(api: A): Apis[A]['request'][] {
    return this.sent(api).map(({ request }) => request as Apis[A]['request'])
  }
}

export function metadata(
  topics: readonly string[],
  leaderId = 1,
  leaderEpoch = 0,
): Apis['Metadata']['answer'] {
  return {
    clusterId: 'cluster',
    controllerId: 1,
    brokers: [{ nodeId: 1, host: 'broker', port: 9092 }],
    topics: topics.map((name) => ({
      errorCode: 0,
      name,
      topicId: `id of ${name}`,
      partitions: [0, 1, 2, 3].map((partition) => ({ errorCode: 0, partition, leaderId, leaderEpoch })),
    })),
  }
}

/** Sleeping takes no real time; timers run when time passes over them. */
export class JumpingClock implements Clock {
  private time = 1000
  private timers: { at: number; callback: () => void }[] = []

  now(): number {
    return this.time
  }

  monotonic(): number {
    return this.time
  }

  setTimer(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.time + delayMs, callback }
    this.timers.push(timer)
    return () => {
      this.timers = this.timers.filter((candidate) => candidate !== timer)
    }
  }

  async sleep(delayMs: number): Promise<void> {
    await this.pass(delayMs)
  }

  async yield(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
  }

  /** Lets time pass, running each timer at its time. */
  async pass(delayMs: number): Promise<void> {
    const end = this.time + delayMs
    for (;;) {
      const [next] = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)
      if (next === undefined) break
      this.timers = this.timers.filter((timer) => timer !== next)
      this.time = Math.max(this.time, next.at)
      next.callback()
      await this.yield()
    }
    this.time = Math.max(this.time, end)
    await this.yield()
  }

  /** The process stands still: time has passed, and no timer has run. */
  stall(delayMs: number): void {
    this.time += delayMs
  }
}

export const silentLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLog,
}

export function scripted() {
  const wire = new ScriptedWire()
  const clock = new JumpingClock()
  let ids = 0
  const random = { next: () => 0.5, id: () => `id-${ids++}` }
  const wireContext = { wire, clock, random, log: silentLog }
  const context: PortContext = { ...wireContext, cluster: new Cluster(wireContext), lanes: new Lanes() }
  return { wire, clock, context }
}

/** The code with which `action` fails; null if it does not. */
export async function codeOf(action: () => unknown): Promise<string | null> {
  try {
    await action()
    return null
  } catch (error) {
    return (error as CodedError).code ?? String(error)
  }
}
