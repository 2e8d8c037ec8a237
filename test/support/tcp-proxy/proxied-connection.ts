/**
 * One client's connection to one broker, with the proxy between. Frames of one direction arrive in order, each after its delay;
 * what is on its way does not wait for the frames behind it. A client that goes does not take back what it has sent: that still
 * reaches the broker, as it does on a real network.
 */
import type { Socket } from 'node:net'
import type { Xoshiro128 } from '../../../src/login-stats/generator/xoshiro128.ts'
import { systemClock } from '../../../src/system/clock.ts'
import type { Fate, Silence } from './fate.ts'
import {
  answerCorrelationId,
  type Direction,
  type Frame,
  FrameCutter,
  type ProxiedApi,
  requestHead,
} from './frames.ts'

/** So many bytes of a trickling frame arrive one by one; the rest in a few pieces. */
const singleBytes = 40
const largePieces = 10

export interface ConnectionOptions {
  readonly random: Xoshiro128
  fateOf(frame: Frame): Fate
  /** What the client shall read instead of an answer. */
  rewrite(frame: Frame): Buffer
  /** Takes a request that its sender shall give up. */
  deliverLate(frame: Frame, afterMs: number): void
  /** The sockets are gone, or going. May be called again. */
  onEnd(connection: ProxiedConnection): void
}

interface Arrival {
  readonly frame: Frame
  readonly fate: Fate
  readonly dueAt: number
}

export class ProxiedConnection {
  readonly #options: ConnectionOptions
  readonly #sockets: Readonly<Record<Direction, Socket>>
  readonly #arrivals: Readonly<Record<Direction, Arrival[]>> = { request: [], answer: [] }
  readonly #pumps: Record<Direction, Promise<void> | null> = { request: null, answer: null }
  readonly #apiOf = new Map<number, ProxiedApi>()
  readonly #silent = new Set<Direction>()
  #isOver = false

  /** `client` and `broker` are connected, or about to be. */
  constructor(client: Socket, broker: Socket, options: ConnectionOptions) {
    this.#options = options
    this.#sockets = { request: broker, answer: client }
    const requests = new FrameCutter()
    const answers = new FrameCutter()
    client.on('data', (piece) => {
      for (const bytes of requests.push(piece as Buffer)) this.#takeRequest(bytes)
    })
    broker.on('data', (piece) => {
      for (const bytes of answers.push(piece as Buffer)) this.#takeAnswer(bytes)
    })
    for (const socket of [client, broker]) {
      socket.setNoDelay(true)
      // The close that follows says what there is to do.
      socket.on('error', () => undefined)
    }
    client.on('close', () => this.#sideClosed('request'))
    broker.on('close', () => this.#sideClosed('answer'))
  }

  /** RST to both sides, now. */
  reset(): void {
    this.#isOver = true
    for (const socket of Object.values(this.#sockets)) socket.resetAndDestroy()
    this.#options.onEnd(this)
  }

  /** From now on bytes vanish. `resetAfterMs` null: for ever. */
  silence(which: Silence, resetAfterMs: number | null): void {
    if (which !== 'answers') this.#silent.add('request')
    if (which !== 'requests') this.#silent.add('answer')
    if (resetAfterMs !== null) systemClock.setTimer(resetAfterMs, () => this.reset())
  }

  #takeRequest(bytes: Buffer): void {
    const { api, correlationId } = requestHead(bytes)
    this.#apiOf.set(correlationId, api)
    this.#take({ direction: 'request', api, bytes })
  }

  #takeAnswer(bytes: Buffer): void {
    const correlationId = answerCorrelationId(bytes)
    const api = this.#apiOf.get(correlationId) ?? 'other'
    this.#apiOf.delete(correlationId)
    const frame: Frame = { direction: 'answer', api, bytes }
    this.#take({ ...frame, bytes: this.#options.rewrite(frame) })
  }

  #take(frame: Frame): void {
    const { direction } = frame
    const fate = this.#options.fateOf(frame)
    const delayMs = fate.kind === 'deliver' || fate.kind === 'trickle' ? fate.delayMs : 0
    this.#arrivals[direction].push({ frame, fate, dueAt: systemClock.monotonic() + delayMs })
    this.#pumps[direction] ??= this.#pump(direction).finally(() => {
      this.#pumps[direction] = null
    })
  }

  async #pump(direction: Direction): Promise<void> {
    const arrivals = this.#arrivals[direction]
    for (let next = arrivals.shift(); next !== undefined; next = arrivals.shift()) {
      const waitMs = next.dueAt - systemClock.monotonic()
      if (waitMs > 0) await systemClock.sleep(waitMs)
      if (this.#isOver) return
      await this.#meetFate(next.frame, next.fate)
    }
  }

  async #meetFate(frame: Frame, fate: Fate): Promise<void> {
    switch (fate.kind) {
      case 'deliver':
        this.#write(frame.direction, frame.bytes)
        break
      case 'trickle':
        await this.#trickle(frame)
        break
      case 'lose':
        break
      case 'late':
        this.#options.deliverLate(frame, fate.afterMs)
        break
      case 'reset':
        await this.#writePart(frame, fate.share)
        this.reset()
        break
      case 'half-open':
        await this.#writePart(frame, fate.share)
        this.silence(fate.silence, fate.resetAfterMs)
        break
    }
  }

  #write(direction: Direction, bytes: Buffer): void {
    const socket = this.#sockets[direction]
    if (!this.#silent.has(direction) && socket.writable) socket.write(bytes)
  }

  /** A reset overtakes what has not been sent, so that has a moment. */
  async #writePart(frame: Frame, share: number): Promise<void> {
    const part = frame.bytes.subarray(0, Math.floor(frame.bytes.length * share))
    if (part.length === 0) return
    this.#write(frame.direction, part)
    await systemClock.sleep(2)
  }

  async #trickle({ direction, bytes }: Frame): Promise<void> {
    let position = 0
    while (position < bytes.length && !this.#isOver) {
      const rest = bytes.length - position
      const isLong = position >= singleBytes
      const length = isLong ? 1 + this.#options.random.below(Math.ceil((2 * bytes.length) / largePieces)) : 1
      this.#write(direction, bytes.subarray(position, position + Math.min(rest, length)))
      position += length
      await (isLong ? systemClock.sleep(1) : systemClock.yield())
    }
  }

  /** The other side hears of it after what is still on its way; on a half-open connection it does not. */
  #sideClosed(from: Direction): void {
    if (this.#isOver || this.#silent.has(from)) return
    void (this.#pumps[from] ?? Promise.resolve()).then(() => {
      if (this.#isOver) return
      this.#isOver = true
      for (const socket of Object.values(this.#sockets)) socket.end()
      this.#options.onEnd(this)
    })
  }
}
