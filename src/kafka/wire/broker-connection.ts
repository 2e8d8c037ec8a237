/**
 * One connection to one broker: kafkajs's, opened and authenticated by kafkajs, with our own requests on it.
 *
 * Invariants:
 *   1. A connection is opened once and lost once. What is lost stays lost: whoever needs one makes a new one.
 *   2. Answers come in the order of the requests, so after a time-out the connection is of no more use: it is lost.
 *   3. When it is lost, every request without an answer fails with OUTCOME_UNKNOWN: it may have taken effect.
 *   4. A connection is replaced before the broker ends it, once all its answers are there. (kafkajs would authenticate anew on
 *      the same one, at each request of a session's last ten seconds; brokers refuse that within a second of the last time.)
 *   5. Nothing wakes up while nothing is to be done. kafkajs looks for pending requests 900 times a second once it has had an
 *      answer, and every 100 ms for time-outs; both are switched off.
 */
import { getSystemErrorMap } from 'node:util'
import Broker from 'kafkajs/src/broker/index.js'
import Connection, { type KafkajsLogger } from 'kafkajs/src/network/connection.js'
import { CodedError, type ErrorCode } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import { AnswerFrames } from './answer-frames.ts'
import { authenticationHint } from './authentication-hints.ts'
import { socketsInto } from './sockets.ts'

export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

export interface BrokerConnectionOptions {
  readonly address: BrokerAddress
  readonly clientId: string
  readonly ssl: object | null
  readonly sasl: object | null
  readonly connectionTimeoutMs: number
  readonly logger: KafkajsLogger
  readonly clock: Clock
  /** Called once, after the connection was lost. */
  readonly onLost: (connection: BrokerConnection) => void
}

export interface RequestHeader {
  readonly apiKey: number
  readonly version: number
  /** Whether request and answer carry tagged fields in their headers. */
  readonly flexible: boolean
}

interface Waiting {
  readonly operation: string
  readonly resolve: (payload: Buffer) => void
  readonly reject: (error: CodedError) => void
}

/** Brokers close what has been idle for 10 minutes. A request on its way at that moment would have an unknown outcome. */
const maxIdleMs = 9 * 60 * 1000

/** A request of the session's last moments might reach the broker after its end. */
const usableShareOfSession = 0.85

const systemErrorCodes = new Set([...getSystemErrorMap().values()].map(([code]) => code))

export class BrokerConnection extends Connection {
  private readonly options: BrokerConnectionOptions
  private readonly frames: AnswerFrames
  private readonly waiting = new Map<number, Waiting>()
  private readonly clientIdBytes: Buffer
  private lostBecause: Loss | null = null
  private rejectOpening: ((loss: Loss) => void) | null = null
  private lastUsedAt: number
  private hasAnswered = false
  private sessionUsableUntil = Number.POSITIVE_INFINITY
  private readonly whenDrained: (() => void)[] = []

  constructor(options: BrokerConnectionOptions) {
    const { address, clientId, ssl, sasl, logger } = options
    super({
      host: address.host,
      port: address.port,
      logger,
      clientId,
      ssl,
      sasl,
      connectionTimeout: options.connectionTimeoutMs,
      requestTimeout: options.connectionTimeoutMs,
      enforceRequestTimeout: false,
    })
    this.options = options
    this.clientIdBytes = Buffer.from(clientId)
    this.frames = new AnswerFrames((correlationId, payload) => this.receive(correlationId, payload))
    this.socketFactory = socketsInto({
      target: () => this.frames.target(),
      filled: (count) => this.take(() => this.frames.filled(count)),
      refused: (error) => this.lose({ detail: `Failed to connect: ${errorText(error)}.`, cause: error }),
    })
    this.lastUsedAt = options.clock.monotonic()
    // As kafkajs has it, an idle connection sets timers of negative length, of which Node warns on the terminal.
    const queue = this.requestQueue
    const schedule = queue.scheduleCheckPendingRequests.bind(queue)
    queue.scheduleCheckPendingRequests = () => {
      if (queue.pending.length > 0) schedule()
    }
  }

  /**
   * Connects, learns what the broker speaks, and authenticates. Throws KAFKA_UNREACHABLE, AUTHENTICATION_FAILED or
   * UNSUPPORTED_BROKER; the connection is lost then.
   */
  async open(): Promise<void> {
    const { logger, connectionTimeoutMs, clock } = this.options
    const cancelTimer = clock.setTimer(connectionTimeoutMs, () =>
      this.lose({ detail: `The connection was not ready within ${connectionTimeoutMs} ms.` }),
    )
    try {
      await new Promise<void>((resolve, reject) => {
        this.rejectOpening = reject
        const broker = new Broker({
          connectionPool: this,
          logger,
          authenticationTimeout: connectionTimeoutMs,
        })
        broker.connect().then(resolve, reject)
      })
      const lifetimeMs = Number(this.sessionLifetime.toString())
      if (lifetimeMs > 0) this.sessionUsableUntil = clock.monotonic() + lifetimeMs * usableShareOfSession
    } catch (error) {
      throw this.openingFailed(error)
    } finally {
      cancelTimer()
      this.rejectOpening = null
    }
  }

  /** Whether a request can be sent. If its time is over, the connection waits for its answers and is given up. */
  async isUsable(): Promise<boolean> {
    if (this.lostBecause !== null) return false
    const { clock } = this.options
    const idleUntil = this.waiting.size === 0 ? this.lastUsedAt + maxIdleMs : Number.POSITIVE_INFINITY
    if (clock.monotonic() < Math.min(this.sessionUsableUntil, idleUntil)) return true
    if (this.waiting.size > 0) await new Promise<void>((resolve) => this.whenDrained.push(resolve))
    this.lose({ detail: 'Its time was over.' })
    return false
  }

  supports({ apiKey, version }: RequestHeader): boolean {
    const range = this.versions?.[apiKey]
    return range !== undefined && range.minVersion <= version && version <= range.maxVersion
  }

  /**
   * Writes one request at once, and resolves with the answer's bytes after its header. Throws, before it has written
   * anything, if the connection is lost; rejects with OUTCOME_UNKNOWN.
   */
  request(operation: string, header: RequestHeader, body: readonly Buffer[]): Promise<Buffer> {
    const socket = this.socket
    if (this.lostBecause !== null || socket === undefined)
      throw this.failure('KAFKA_UNREACHABLE', operation, this.lostBecause)
    const correlationId = this.nextCorrelationId()
    this.lastUsedAt = this.options.clock.monotonic()
    return new Promise((resolve, reject) => {
      this.waiting.set(correlationId, { operation, resolve, reject })
      socket.cork()
      socket.write(this.headerBytes(header, correlationId, body))
      for (const part of body) socket.write(part)
      socket.uncork()
    })
  }

  /** Ends the connection; `cause.detail` says why, in a sentence. */
  lose(loss: Loss): void {
    if (this.lostBecause !== null) return
    this.lostBecause = loss
    const waiting = [...this.waiting.values()]
    this.waiting.clear()
    for (const { operation, reject } of waiting) reject(this.failure('OUTCOME_UNKNOWN', operation, loss))
    this.drained()
    this.rejectOpening?.(loss)
    this.requestQueue.rejectAll(new Error(loss.detail))
    this.requestQueue.destroy()
    // With an error, because that is what makes kafkajs clear its connection timer.
    this.socket?.destroy(new Error(loss.detail))
    this.options.onLost(this)
  }

  /** For kafkajs's `Broker`, which takes a pool: this connection is a pool of one. */
  async getConnection(): Promise<this> {
    if (!this.isConnected()) await this.connect()
    return this
  }

  override connect(): Promise<boolean> {
    const connecting = super.connect()
    const lost = (detail: string, cause?: unknown): void =>
      this.lose({ detail, ...(cause !== undefined && { cause }) })
    // Requests are small and wait for one another's answers: without this, the kernel would hold them back to join them.
    this.socket?.setNoDelay(true)
    this.socket?.on('error', (error) => lost(`The connection failed: ${errorText(error)}.`, error))
    this.socket?.on('end', () =>
      this.lose({ detail: 'The broker has closed the connection.', ...this.refusalHint() }),
    )
    this.socket?.on('close', () => lost('The connection was closed.'))
    return connecting
  }

  /** For kafkajs, which has the bytes of a TLS socket. */
  override processData(chunk: Buffer): void {
    this.take(() => this.frames.push(chunk))
  }

  private take(read: () => void): void {
    if (this.lostBecause !== null) return
    try {
      read()
    } catch (error) {
      const detail = `What the broker sent is not Kafka's protocol: ${errorText(error)}.`
      const hint = 'Check the port, and whether the listener speaks TLS.'
      this.lose({ detail, hint, cause: error })
    }
  }

  private receive(correlationId: number, payload: Buffer): void {
    this.lastUsedAt = this.options.clock.monotonic()
    const waiting = this.waiting.get(correlationId)
    if (waiting === undefined) {
      // An answer to one of kafkajs's own requests.
      this.requestQueue.fulfillRequest({ correlationId, payload, size: payload.length + 4 })
      return
    }
    this.waiting.delete(correlationId)
    this.hasAnswered = true
    waiting.resolve(payload)
    if (this.waiting.size === 0) this.drained()
  }

  private drained(): void {
    for (const resolve of this.whenDrained.splice(0)) resolve()
  }

  /** A listener that wants SASL says so by closing, at the first request that is not about it. */
  private refusalHint(): { hint?: string } {
    if (this.hasAnswered || this.sasl !== null || this.waiting.size === 0) return {}
    return { hint: 'If this happens each time, the listener wants SASL: check the KAFKA_SASL_* settings.' }
  }

  private headerBytes(header: RequestHeader, correlationId: number, body: readonly Buffer[]): Buffer {
    const clientId = this.clientIdBytes
    const size = 10 + clientId.length + (header.flexible ? 1 : 0)
    const bytes = Buffer.alloc(4 + size)
    bytes.writeInt32BE(
      body.reduce((sum, part) => sum + part.length, size),
      0,
    )
    bytes.writeInt16BE(header.apiKey, 4)
    bytes.writeInt16BE(header.version, 6)
    bytes.writeInt32BE(correlationId, 8)
    bytes.writeInt16BE(clientId.length, 12)
    // A flexible header ends in the count of its tagged fields: the 0 that is already there.
    clientId.copy(bytes, 14)
    return bytes
  }

  private openingFailed(error: unknown): CodedError {
    const loss = this.lostBecause ?? { detail: `${errorText(error)}.`, cause: error }
    const code = openingCode(error, loss, this.ssl !== null, this.socket !== undefined)
    this.lose(loss)
    const hint = code === 'AUTHENTICATION_FAILED' ? authenticationHint(loss.cause ?? error) : null
    return this.failure(code, 'connecting', hint === null ? loss : { ...loss, hint })
  }

  private failure(code: ErrorCode, operation: string, loss: Loss | null): CodedError {
    return new CodedError(code, {
      operation,
      broker: this.broker,
      ...(loss !== null && { detail: loss.detail, cause: loss.cause }),
      ...(loss?.hint !== undefined && { hint: loss.hint }),
    })
  }
}

export interface Loss {
  /** A sentence. */
  readonly detail: string
  readonly hint?: string
  readonly cause?: unknown
}

function openingCode(error: unknown, loss: Loss, tls: boolean, hasSocket: boolean): ErrorCode {
  const name = error instanceof Error ? error.name : ''
  const type = stringField(error, 'type')
  if (name === 'KafkaJSSASLAuthenticationError') return 'AUTHENTICATION_FAILED'
  if (type === 'UNSUPPORTED_SASL_MECHANISM' || type === 'ILLEGAL_SASL_STATE') return 'AUTHENTICATION_FAILED'
  if (name === 'KafkaJSServerDoesNotSupportApiKey' || type === 'UNSUPPORTED_VERSION')
    return 'UNSUPPORTED_BROKER'
  // Without a socket, TLS has refused the key or the certificate that it was given.
  if (tls && (!hasSocket || isTlsFailure(loss.cause))) return 'AUTHENTICATION_FAILED'
  return 'KAFKA_UNREACHABLE'
}

/** Whether a socket's error is the handshake's and not the network's, which has a code of the operating system. */
function isTlsFailure(error: unknown): boolean {
  const code = stringField(error, 'code')
  return code !== null && !systemErrorCodes.has(code) && stringField(error, 'syscall') === null
}

function stringField(error: unknown, field: 'type' | 'code' | 'syscall'): string | null {
  if (!(error instanceof Error)) return null
  const value: unknown = Reflect.get(error, field)
  return typeof value === 'string' ? value : null
}

/** Connecting to several addresses fails with an error without a message, so the code does. */
function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.message === '' ? (stringField(error, 'code') ?? error.name) : error.message
}
