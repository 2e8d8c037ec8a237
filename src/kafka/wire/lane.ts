/**
 * A lane: requests to one target that are answered in order, over one connection at a time.
 *
 * Invariants:
 *   1. Requests are written in the order in which they were given. They do not wait for one another's answers, only for the
 *      connection.
 *   2. A request is written at most once. What fails before that is KAFKA_UNREACHABLE (or a lasting failure); what fails after
 *      it is OUTCOME_UNKNOWN.
 *   3. A request whose time is up is never written later.
 */
import { CodedError, coded, type ErrorCode } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { BrokerConnection, RequestHeader } from './broker-connection.ts'
import type { Codec } from './codecs/codec.ts'
import type { ApiName, Apis } from './wire.ts'

export interface LaneOptions {
  readonly clock: Clock
  /** A new, open connection. */
  readonly connect: () => Promise<BrokerConnection>
}

/** What can go wrong before a request is written, and lasts. Anything else is KAFKA_UNREACHABLE. */
const lastingCodes: readonly ErrorCode[] = ['AUTHENTICATION_FAILED', 'UNSUPPORTED_BROKER', 'INTERNAL']

export class Lane {
  private readonly options: LaneOptions
  private connection: BrokerConnection | null = null
  /** Settles when every request given so far is written or has failed. */
  private written: Promise<void> = Promise.resolve()

  constructor(options: LaneOptions) {
    this.options = options
  }

  send<A extends ApiName>(
    api: A,
    codec: Codec<A>,
    request: Apis[A]['request'],
    timeoutMs: number,
  ): Promise<Apis[A]['answer']> {
    const call = new Call<A>(api, codec, request, timeoutMs, this.options.clock)
    this.written = this.written.then(() => this.write(call))
    return call.answer
  }

  private async write<A extends ApiName>(call: Call<A>): Promise<void> {
    if (call.isSettled) return
    try {
      const body = await call.codec.encode(call.request)
      const connection = await this.connected()
      if (call.isSettled) return
      if (!connection.supports(call.codec)) throw unsupported(call.api, call.codec, connection)
      call.isWrittenTo(connection, connection.request(call.api, call.codec, body))
    } catch (error) {
      call.fail(notWritten(call.api, error))
    }
  }

  private async connected(): Promise<BrokerConnection> {
    if (this.connection !== null && (await this.connection.isUsable())) return this.connection
    this.connection = null
    this.connection = await this.options.connect()
    return this.connection
  }
}

/** One request, from the moment it was given until it has its answer. */
class Call<A extends ApiName> {
  readonly api: A
  readonly codec: Codec<A>
  readonly request: Apis[A]['request']
  readonly answer: Promise<Apis[A]['answer']>
  isSettled = false
  private readonly timeoutMs: number
  private readonly clock: Clock
  private readonly cancelTimer: () => void
  private readonly outcome = Promise.withResolvers<Apis[A]['answer']>()
  private connection: BrokerConnection | null = null

  constructor(api: A, codec: Codec<A>, request: Apis[A]['request'], timeoutMs: number, clock: Clock) {
    this.api = api
    this.codec = codec
    this.request = request
    this.timeoutMs = timeoutMs
    this.clock = clock
    this.answer = this.outcome.promise
    this.cancelTimer = clock.setTimer(timeoutMs, () => this.timeIsUp())
  }

  isWrittenTo(connection: BrokerConnection, payload: Promise<Buffer>): void {
    this.connection = connection
    payload
      .then((bytes) => this.codec.decode(bytes))
      .then(
        (answer) => {
          if (this.settle()) this.outcome.resolve(answer)
        },
        (error) => this.fail(notUnderstood(this.api, connection, error)),
      )
  }

  fail(error: CodedError): void {
    if (this.settle()) this.outcome.reject(error)
  }

  private settle(): boolean {
    if (this.isSettled) return false
    this.isSettled = true
    this.cancelTimer()
    return true
  }

  /** The answer may be in the socket already, unread because the process was busy: it gets one turn of the event loop. */
  private timeIsUp(): void {
    const expire = (): void => this.expire()
    this.clock.yield().then(expire, expire)
  }

  private expire(): void {
    if (this.isSettled) return
    const detail = `No answer within ${this.timeoutMs} ms.`
    if (this.connection !== null) {
      this.connection.lose({ detail })
      this.fail(new CodedError('OUTCOME_UNKNOWN', { operation: this.api, detail }))
      return
    }
    const unreachable = `There was no connection to send it on within ${this.timeoutMs} ms.`
    this.fail(new CodedError('KAFKA_UNREACHABLE', { operation: this.api, detail: unreachable }))
  }
}

function unsupported(operation: string, codec: RequestHeader, connection: BrokerConnection): CodedError {
  const range = connection.versions?.[codec.apiKey]
  const has =
    range === undefined
      ? 'does not have that request'
      : `has versions ${range.minVersion} to ${range.maxVersion}`
  return new CodedError('UNSUPPORTED_BROKER', {
    operation,
    broker: connection.broker,
    detail: `Version ${codec.version} is needed; the broker ${has}.`,
  })
}

/** Nothing was written, whatever has failed: to the sender, an unknown outcome of a look-up is an unreachable broker. */
function notWritten(operation: string, error: unknown): CodedError {
  const failure = coded(error, operation)
  if (lastingCodes.includes(failure.code)) return failure
  const { operation: connecting, hint, ...where } = failure.details
  const detail = `${connecting}: ${failure.details.detail ?? failure.code}`
  return new CodedError('KAFKA_UNREACHABLE', {
    ...where,
    operation,
    detail,
    cause: failure,
    ...(hint !== undefined && { hint }),
  })
}

function notUnderstood(operation: string, connection: BrokerConnection, error: unknown): CodedError {
  if (error instanceof CodedError) return error
  const isVersion = error instanceof Error && Reflect.get(error, 'type') === 'UNSUPPORTED_VERSION'
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return new CodedError(isVersion ? 'UNSUPPORTED_BROKER' : 'OUTCOME_UNKNOWN', {
    operation,
    broker: connection.broker,
    detail: `The answer was not understood: ${text}.`,
    cause: error,
  })
}
