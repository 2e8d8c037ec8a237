/**
 * The wire of one process to the simulated cluster, with everything that can happen to connections.
 *
 *   1. Per node and lane there is one connection; what is sent on it arrives in order, and is answered in order, one request at a
 *      time.
 *   2. A request that certainly was not sent fails with KAFKA_UNREACHABLE; any other without an answer with OUTCOME_UNKNOWN. When
 *      one times out, its connection is given up, and with it all that is under way on it.
 *   3. What is under way when a connection is lost, or its process dies, may still arrive, much later too.
 *   4. Bits of fetched records may flip; asked again, the broker gives them as they are.
 */
import { CodedError } from '../../src/errors.ts'
import { batchAt, batchLengthOverhead } from '../../src/kafka/records/batch-format.ts'
import type { ApiName, Apis, SendOptions, Target, Wire } from '../../src/kafka/wire/wire.ts'
import type { SimulatedBroker } from './broker/simulated-broker.ts'
import { drawErrorAnswer } from './error-answers.ts'
import type { EventQueue } from './event-queue.ts'
import type { SeededRandom } from './random.ts'
import type { SimulatedProcess } from './simulated-process.ts'

/** Chances per request, and times in ms. The simulation changes them as it goes on. */
export interface NetworkConditions {
  latencyMs: number
  /** No connection can be made. */
  unreachable: number
  /** The connection breaks before the request has arrived. */
  loseRequest: number
  /** What was lost so arrives after all, when nobody waits for it any more. */
  arriveLate: number
  /** The connection breaks after the request has been applied. */
  loseAnswer: number
  /** The request, and all after it on its connection, comes late. */
  delay: number
  longestDelayMs: number
  /** The request is answered by an error, although it may have been applied. */
  errorAnswer: number
  /** A bit of the records in a fetch answer is wrong. */
  corrupt: number
  /** How long it takes at the most until a side notices that a connection is broken. */
  longestSilenceMs: number
}

export const calm: Readonly<NetworkConditions> = {
  latencyMs: 0.3,
  unreachable: 0,
  loseRequest: 0,
  arriveLate: 0,
  loseAnswer: 0,
  delay: 0,
  longestDelayMs: 0,
  errorAnswer: 0,
  corrupt: 0,
  longestSilenceMs: 0,
}

export interface Network {
  readonly queue: EventQueue
  readonly random: SeededRandom
  readonly broker: SimulatedBroker
  readonly conditions: NetworkConditions
  /** Every connection that is open, so that a node that stops can break its own. */
  readonly connections: Set<Connection>
  /** Whose last records of which partition have been damaged on the way. */
  readonly corrupted: Set<string>
  /** Told of every request that arrives and every failure, for the log of the run. */
  note(what: string, ...details: (string | number)[]): void
  /** Asked before each request of a process; it may kill the process. */
  onRequest(process: SimulatedProcess, api: ApiName): void
}

export class SimulatedWire implements Wire {
  readonly #network: Network
  readonly #process: SimulatedProcess
  readonly #connections = new Map<string, Connection>()
  #isClosed = false

  constructor(network: Network, process: SimulatedProcess) {
    this.#network = network
    this.#process = process
    process.onDeath(() => this.#loseAll())
  }

  send<A extends ApiName>(
    target: Target,
    api: A,
    request: Apis[A]['request'],
    options: SendOptions,
  ): Promise<Apis[A]['answer']> {
    return new Promise((resolve, reject) => {
      const { random, conditions, broker } = this.#network
      this.#network.onRequest(this.#process, api)
      if (this.#process.isDead) return
      if (this.#isClosed) {
        reject(new CodedError('KAFKA_UNREACHABLE', { operation: api, detail: 'The client was closed.' }))
        return
      }
      const nodeId = target === 'bootstrap' ? this.#anyNode() : target
      if (broker.down.has(nodeId) || random.chance(conditions.unreachable)) {
        const delayMs = random.between(0.1, 2)
        this.#process.after(delayMs, () =>
          reject(new CodedError('KAFKA_UNREACHABLE', { operation: api, detail: `Node ${nodeId}.` })),
        )
        return
      }
      this.#connection(nodeId, options.lane).send(api, request, options.timeoutMs, resolve as never, reject)
    })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#loseAll()
  }

  #loseAll(): void {
    for (const connection of this.#connections.values()) connection.lose()
    this.#connections.clear()
  }

  #anyNode(): number {
    const { broker, random } = this.#network
    const up = broker.nodeIds.filter((nodeId) => !broker.down.has(nodeId))
    return random.pick(up.length > 0 ? up : broker.nodeIds)
  }

  #connection(nodeId: number, lane: string): Connection {
    const key = `${nodeId}/${lane}`
    let connection = this.#connections.get(key)
    if (connection?.isOpen !== true) {
      connection = new Connection(this.#network, this.#process, nodeId)
      this.#connections.set(key, connection)
    }
    return connection
  }
}

interface Call {
  readonly api: ApiName
  readonly request: unknown
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: CodedError) => void
  readonly cancelTimeout: () => void
  isSettled: boolean
}

export class Connection {
  readonly nodeId: number
  isOpen = true
  readonly #network: Network
  readonly #process: SimulatedProcess
  readonly #calls = new Set<Call>()
  /** Arrived at the broker and not answered yet, in order. */
  readonly #arrived: Call[] = []
  #isBusy = false
  /** Nothing reaches the broker any more, or nothing comes back; neither side has noticed. */
  #isDeafFrom = Number.POSITIVE_INFINITY
  #isMute = false
  #lastArrivalAt = 0
  #lastAnswerAt = 0

  constructor(network: Network, process: SimulatedProcess, nodeId: number) {
    this.#network = network
    this.#process = process
    this.nodeId = nodeId
    network.connections.add(this)
  }

  send(
    api: ApiName,
    request: unknown,
    timeoutMs: number,
    resolve: (answer: unknown) => void,
    reject: (error: CodedError) => void,
  ): void {
    const { queue, random, conditions } = this.#network
    const call: Call = {
      api,
      request,
      resolve,
      reject,
      isSettled: false,
      cancelTimeout: this.#process.after(timeoutMs, () => this.#timeIsUp(call, timeoutMs)),
    }
    this.#calls.add(call)
    let arrivesAt = queue.now + random.between(0.2, 1) * conditions.latencyMs
    if (random.chance(conditions.delay)) arrivesAt += random.logarithmic(1, conditions.longestDelayMs)
    if (random.chance(conditions.loseRequest)) {
      this.#isDeafFrom = Math.min(this.#isDeafFrom, arrivesAt)
      this.#breakLater()
    }
    this.#lastArrivalAt = Math.max(this.#lastArrivalAt, arrivesAt)
    if (this.#lastArrivalAt >= this.#isDeafFrom) {
      if (random.chance(conditions.arriveLate)) this.#arriveLate(call)
      return
    }
    queue.afterQuietly(this.#lastArrivalAt - queue.now, () => this.#arrive(call))
  }

  /** The connection is gone: whatever is under way on it has an unknown outcome. */
  lose(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.#network.connections.delete(this)
    for (const call of this.#calls) this.#fail(call, 'The connection was lost.')
  }

  #breakLater(): void {
    const { random, conditions, queue } = this.#network
    queue.after(random.logarithmic(1, Math.max(2, conditions.longestSilenceMs)), () => this.lose())
  }

  #arriveLate(call: Call): void {
    const { queue, random, conditions, broker, note } = this.#network
    queue.afterQuietly(random.logarithmic(1, conditions.longestDelayMs), () => {
      if (broker.down.has(this.nodeId)) return
      note('late', this.#process.name, call.api)
      broker.handle(this.nodeId, call.api, call.request as never, () => {})
    })
  }

  #arrive(call: Call): void {
    const { broker, random } = this.#network
    // A closed connection delivers what was sent on it, or a part of that.
    if (broker.down.has(this.nodeId)) return
    if (!this.isOpen && random.chance(0.3)) return
    this.#arrived.push(call)
    this.#serve()
  }

  #serve(): void {
    if (this.#isBusy) return
    const call = this.#arrived.shift()
    if (call === undefined) return
    this.#isBusy = true
    const { broker, random, conditions } = this.#network
    this.#network.note('request', this.#process.name, call.api, this.nodeId)
    const error = random.chance(conditions.errorAnswer)
      ? drawErrorAnswer(random, call.api, call.request)
      : null
    let isAnswered = false
    const respond = (answer: unknown): void => {
      if (isAnswered) return
      isAnswered = true
      this.#isBusy = false
      if (random.chance(conditions.loseAnswer)) {
        this.#isMute = true
        this.#breakLater()
      }
      if (!this.#isMute && this.isOpen)
        this.#answer(call, error === null ? this.#damaged(call, answer) : error.answer())
      this.#serve()
    }
    if (error?.isDone === false) respond(null)
    else broker.handle(this.nodeId, call.api, call.request as never, respond as never)
  }

  /** The answer, perhaps with a wrong bit in what a checksum covers. */
  #damaged(call: Call, answer: unknown): unknown {
    const { random, conditions, note } = this.#network
    if (call.api !== 'Fetch' || !random.chance(conditions.corrupt)) return answer
    const { errorCode, partitions } = answer as Apis['Fetch']['answer']
    const chosen = partitions.find(({ records }) => records.length > batchAt.records)
    if (chosen === undefined) return answer
    const name = `${this.#process.name} ${chosen.topic}/${chosen.partition}`
    // The next time it is asked for the records are as they should be.
    if (this.#network.corrupted.delete(name)) return answer
    this.#network.corrupted.add(name)
    note('corrupt', name)
    const length = chosen.records.readInt32BE(batchAt.length) + batchLengthOverhead
    const records = Buffer.from(chosen.records)
    const at = batchAt.crc + random.below(Math.min(length, records.length) - batchAt.crc)
    records[at] = (records[at] ?? 0) ^ (1 << random.below(8))
    return { errorCode, partitions: partitions.map((one) => (one === chosen ? { ...one, records } : one)) }
  }

  #answer(call: Call, answer: unknown): void {
    const { queue, random, conditions } = this.#network
    const at = queue.now + random.between(0.2, 1) * conditions.latencyMs
    this.#lastAnswerAt = Math.max(this.#lastAnswerAt, at)
    queue.after(this.#lastAnswerAt - queue.now, () => {
      if (!this.isOpen) return
      this.#process.deliver(() => {
        if (this.#settle(call)) call.resolve(answer)
      })
    })
  }

  #timeIsUp(call: Call, timeoutMs: number): void {
    // The answer may be there already, unread because the process was busy.
    this.#process.after(0, () => {
      if (call.isSettled) return
      this.#fail(call, `No answer within ${timeoutMs} ms.`)
      this.lose()
    })
  }

  #fail(call: Call, detail: string): void {
    this.#process.deliver(() => {
      if (!this.#settle(call)) return
      this.#network.note('unknown', this.#process.name, call.api)
      call.reject(new CodedError('OUTCOME_UNKNOWN', { operation: call.api, detail }))
    })
  }

  #settle(call: Call): boolean {
    if (call.isSettled) return false
    call.isSettled = true
    call.cancelTimeout()
    this.#calls.delete(call)
    return true
  }
}
