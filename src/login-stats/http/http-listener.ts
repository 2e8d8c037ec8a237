/**
 * The listening part of the HTTP server, which is there before the rest: a process that starts has better things to do than to load
 * what answers questions, but probes want an answer, and the other instances must be told where this one is.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { CodedError } from '../../errors.ts'
import type { Log } from '../../ports/log.ts'
import { answerNoRequest, answerPlainly } from './plain-answers.ts'
import { errorBody, requestProblems } from './request-problems.ts'
import { urlHost } from './url-host.ts'

export interface HttpListenerOptions {
  readonly host: string
  /** 0: a free one. */
  readonly port: number
  /** A port that is taken is a failure; else a free one is taken instead. */
  readonly mustHavePort: boolean
  readonly log: Log
  /** For the whole request to arrive, and its head. Default: 10 s. */
  readonly requestTimeoutMs?: number
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void

const usualRequestTimeoutMs = 10_000
/** Node looks for requests that take too long only so often, each thirty seconds if it is not told. */
const lookForLateMs = 1000
const keepAliveMs = 30_000
const mostConnections = 500
const idleSocketMs = 60_000
/** Names of this machine for itself. */
const loopbackHosts: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])

export class HttpListener {
  readonly #server: Server
  #handler: Handler = answerWhileStarting

  /** Throws HTTP_PORT_IN_USE, and CONFIG_INVALID for a host that is not of this machine. */
  static async open(options: HttpListenerOptions): Promise<HttpListener> {
    const { host, port, mustHavePort, log } = options
    const listener = new HttpListener(host, options.requestTimeoutMs ?? usualRequestTimeoutMs)
    try {
      await listener.#listen(host, port)
    } catch (error) {
      if (mustHavePort || !(error instanceof CodedError) || error.code !== 'HTTP_PORT_IN_USE') throw error
      log.warn({ port }, 'The default HTTP port is taken; a free one is used instead')
      await listener.#listen(host, 0)
    }
    listener.#server.on('error', (error) =>
      log.warn({ error }, 'The HTTP server could not take a connection'),
    )
    log.info({ url: `http://${urlHost(host)}:${listener.port}/` }, 'HTTP server is listening')
    return listener
  }

  private constructor(host: string, requestTimeoutMs: number) {
    const limits = {
      requestTimeout: requestTimeoutMs,
      headersTimeout: requestTimeoutMs,
      connectionsCheckingInterval: lookForLateMs,
      keepAliveTimeout: keepAliveMs,
    }
    const isLoopback = loopbackHosts.has(urlHost(host))
    this.#server = createServer(limits, (request, response) => {
      if (isLoopback && !isForThisMachine(request)) refuse(response)
      else this.#handler(request, response)
    })
    this.#server.on('clientError', answerNoRequest)
    this.#server.maxConnections = mostConnections
    // Of answers that nobody takes; streams of events look after themselves.
    this.#server.setTimeout(idleSocketMs)
  }

  get server(): Server {
    return this.#server
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /** From now on requests are answered by `handler`. */
  handleWith(handler: Handler): void {
    this.#handler = handler
  }

  /** Ends all connections, whatever they wait for. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
    })
  }

  async #listen(host: string, port: number): Promise<void> {
    try {
      await new Promise<void>((resolve, reject) => {
        this.#server.once('error', reject)
        this.#server.listen({ host, port }, () => {
          this.#server.off('error', reject)
          resolve()
        })
      })
    } catch (cause) {
      const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
      const operation = `listen on ${urlHost(host)}:${port}`
      if (code === 'EADDRINUSE') throw new CodedError('HTTP_PORT_IN_USE', { operation, cause })
      const detail = `HTTP_HOST or HTTP_PORT: ${String(code ?? cause)}.`
      throw new CodedError('CONFIG_INVALID', { operation, detail, cause })
    }
  }
}

/** The process turns, and that is all that can be said. */
function answerWhileStarting(request: IncomingMessage, response: ServerResponse): void {
  const { url } = request
  if (url === '/') {
    response.writeHead(503, { 'content-type': 'text/html; charset=utf-8', refresh: '1' })
    response.end('<!doctype html><html lang="en"><title>login-stats</title><p>Starting …</p></html>')
    return
  }
  const isLive = url === '/livez'
  answerPlainly(response, isLive ? 200 : 503, answerTo(url), isLive ? {} : { 'retry-after': '1' })
}

function answerTo(url: string | undefined): object {
  if (url === '/livez') return { status: 'ok', reasons: [] }
  if (url === '/readyz') return { status: 'not ready', reasons: ['It is starting.'] }
  const { message } = new CodedError('NOT_STARTED', { operation: 'answer over HTTP' })
  return errorBody('NOT_STARTED', message)
}

/**
 * A web page elsewhere may have its own name lead to this machine, so that a browser here asks for it. Who means this machine calls it
 * by one of its own names.
 */
function isForThisMachine({ headers: { host = '' } }: IncomingMessage): boolean {
  return loopbackHosts.has(host.replace(/:\d+$/, '').toLowerCase())
}

function refuse(response: ServerResponse): void {
  const message = 'This server answers on the loopback address alone, by the names of this machine.'
  answerPlainly(response, requestProblems.MISDIRECTED.status, errorBody('MISDIRECTED', message))
}
