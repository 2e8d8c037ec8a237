/**
 * Requests to one broker, and its answers in the steps in which they come.
 *
 * What a broker may hold back (JoinGroup, SyncGroup, a Fetch with nothing to give) is not waited for: its answer belongs to the step in
 * which it comes. The simulated broker goes first; the real one is given time for as many answers.
 */
import { type ApiName, type Apis, kafkaError as k } from '../../../src/kafka/wire/wire.ts'
import type { Party } from './party.ts'

/** An answer in words of the commands; `to` says to what. */
export type Described = { readonly to: string } & Readonly<Record<string, unknown>>

export interface Step {
  readonly answers: readonly Described[]
  /** How many answers there were at each pause. */
  readonly paused: readonly number[]
}

export type Request<A extends ApiName> = Apis[A]['request']
export type Answer<A extends ApiName> = Apis[A]['answer']

export const timeoutMs = 10_000
const heldTimeoutMs = 60_000
/** How long a real broker may take for an answer that the simulated one has given. */
const patienceMs = 3000
const passing: readonly number[] = [
  k.COORDINATOR_LOAD_IN_PROGRESS,
  k.COORDINATOR_NOT_AVAILABLE,
  k.NOT_COORDINATOR,
  k.CONCURRENT_TRANSACTIONS,
]

export class Conversation {
  readonly #party: Party
  /** What has no answer yet. */
  readonly #held = new Set<string>()
  #number = 0
  #answers: (() => Described)[] = []
  /** Answers to what was held, until the next pause. */
  #arrived: { readonly to: string; readonly take: () => void }[] = []
  #paused: number[] = []
  #predicted: Step | null = null

  constructor(party: Party) {
    this.#party = party
  }

  get nodeId(): number {
    return this.#party.nodeId
  }

  /** `predicted`: the answers of the simulated broker, of which the real one is given time for as many. */
  async step(play: () => Promise<void>, predicted: Step | null): Promise<Step> {
    this.#answers = []
    this.#paused = []
    this.#predicted = predicted
    await play()
    await this.pause()
    // What comes without having been foretold must have its chance too.
    if (predicted !== null && this.#held.size > 0) await this.#party.pass(5)
    this.#takeArrived()
    const answers = this.#answers.map((describe) => describe())
    return { answers: answers.toSorted((a, b) => (a.to < b.to ? -1 : 1)), paused: this.#paused }
  }

  pass(milliseconds: number): Promise<void> {
    return this.#party.pass(milliseconds)
  }

  close(): Promise<void> {
    return this.#party.close()
  }

  send<A extends ApiName>(api: A, request: Request<A>, lane = 'control'): Promise<Answer<A>> {
    const { wire, nodeId } = this.#party
    return this.#party.wait(wire.send(nodeId, api, request, { timeoutMs, lane }))
  }

  /** Asks until the answer is not one of those that pass. */
  async settled<A extends ApiName>(
    api: A,
    request: Request<A>,
    codesOf: (answer: Answer<A>) => readonly number[],
  ): Promise<Answer<A>> {
    for (let attempts = 0; ; attempts++) {
      const answer = await this.send(api, request)
      if (attempts === 2000 || !codesOf(answer).some((code) => passing.includes(code))) return answer
      await this.#party.pass(2)
    }
  }

  answered(api: ApiName, describe: () => Readonly<Record<string, unknown>>): void {
    const to = `${String(this.#number++).padStart(4, '0')} ${api}`
    this.#answers.push(() => ({ to, ...describe() }))
  }

  /** Sends what may be held back, on a connection of its own. */
  async hold<A extends ApiName>(
    api: A,
    request: Request<A>,
    take: (answer: Answer<A>) => () => Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const to = `${String(this.#number++).padStart(4, '0')} ${api}`
    const { wire, nodeId } = this.#party
    // The connection is there before it is needed, so that nothing overtakes the request.
    await this.send('Metadata', { topics: [] }, to)
    this.#held.add(to)
    wire.send(nodeId, api, request, { timeoutMs: heldTimeoutMs, lane: to }).then(
      (answer) => {
        this.#held.delete(to)
        this.#arrived.push({
          to,
          take: () => {
            const describe = take(answer)
            this.#answers.push(() => ({ to, ...describe() }))
          },
        })
      },
      // The connection is closed at the end of the sequence, and with it what is held then.
      () => this.#held.delete(to),
    )
    await this.#party.pass(3)
  }

  /** Until all that can be answered is answered; on the real broker, as much as on the simulated one. */
  async pause(): Promise<void> {
    if (this.#predicted === null) await this.#party.pass(20)
    else {
      const expected = this.#predicted.paused[this.#paused.length] ?? 0
      const count = () => this.#answers.length + this.#arrived.length
      for (let waited = 0; count() < expected && waited < patienceMs; waited += 2) await this.#party.pass(2)
    }
    this.#takeArrived()
    this.#paused.push(this.#answers.length)
  }

  #takeArrived(): void {
    // On connections of their own they come in whatever order.
    const arrived = this.#arrived.toSorted((a, b) => (a.to < b.to ? -1 : 1))
    this.#arrived = []
    for (const { take } of arrived) take()
  }
}

export const one = (answer: { errorCode: number }): number[] => [answer.errorCode]
export const each = (answer: { partitions: { errorCode: number }[] }): number[] =>
  answer.partitions.map(({ errorCode }) => errorCode)
