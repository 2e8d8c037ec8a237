/**
 * A server for the page that says what a test tells it to: for what is hard to reach with a real processor, such as hostile values, millions
 * of logins, or a server that falls silent. It answers by the same schemas as the real one, with the same headers.
 */
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { dirname, extname, join } from 'node:path'
import {
  type Row,
  type Summary,
  summarySchema,
  type Tasks,
  tasksSchema,
} from '../../src/login-stats/http/api-schemas.ts'

const pageDirectory = join(import.meta.dirname, '../../src/login-stats/page')
const uplotDirectory = dirname(createRequire(import.meta.url).resolve('uplot'))
const uplotFiles: Readonly<Record<string, string>> = {
  '/uplot.js': 'uPlot.esm.js',
  '/uplot.css': 'uPlot.min.css',
}
const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}
const rowsAtEitherEnd = 10
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'"

/** What the server knows. The summary and the answers about the table are made of the rows. */
export interface Known {
  rows: readonly Row[]
  summary: Partial<Summary>
  tasks: Tasks | null
}

export class PageServer {
  /** Paths of the requests to the API so far. */
  readonly requests: string[] = []
  known: Known = { rows: [], summary: {}, tasks: null }
  #server: Server | null = null
  #port = 0
  readonly #streams = new Set<ServerResponse>()

  get url(): string {
    return `http://127.0.0.1:${this.#port}/`
  }

  /** Listens; after a `stop`, on the same port as before. */
  async start(): Promise<void> {
    const server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        response.writeHead(500).end(String(error))
      })
    })
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve))
    this.#port = (server.address() as AddressInfo).port
    this.#server = server
  }

  /** As if the process had been killed. */
  async stop(): Promise<void> {
    const server = this.#server
    this.#server = null
    if (server === null) return
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
    this.#streams.clear()
  }

  /** Tells every reader what is known now. */
  publish(changes: Partial<Known> = {}): void {
    this.known = { ...this.known, ...changes }
    for (const stream of this.#streams) this.#tell(stream)
  }

  #tell(stream: ServerResponse): void {
    const { tasks } = this.known
    stream.write(`event: summary\ndata: ${JSON.stringify(this.#summary())}\n\n`)
    if (tasks !== null) stream.write(`event: tasks\ndata: ${JSON.stringify(tasksSchema.parse(tasks))}\n\n`)
  }

  /** Its rows are those with the most and the fewest logins of `window`, or of all time. */
  #summary(window: string | null = null): Summary {
    const { rows, summary } = this.known
    const names = [...new Set(rows.map(({ dimension }) => dimension))].filter((name) => name !== 'total')
    return summarySchema.parse({
      as_of: rows[0]?.as_of ?? null,
      age_ms: 120,
      is_complete: true,
      failure: null,
      total: rows.find(({ key }) => key === 'total') ?? null,
      rate_per_second: rows.length === 0 ? 0 : 1_200,
      windows: ['1m', '5m', '1h', '24h'],
      dimensions: names.map((dimension) => {
        const ranked = this.#ranked(dimension, window)
        return {
          dimension,
          key_count: ranked.length,
          sum: ranked.reduce(
            (sum, row) => sum + (window === null ? row.count : (row.rolling[window] ?? 0)),
            0,
          ),
          top: ranked.slice(0, rowsAtEitherEnd),
          least: ranked.toReversed().slice(0, rowsAtEitherEnd),
        }
      }),
      dead_letters: { count: 0, by_code: {} },
      ...summary,
    })
  }

  #ranked(dimension: string, window: string | null): Row[] {
    const logins = (row: Row): number => (window === null ? row.count : (row.rolling[window] ?? 0))
    return this.known.rows
      .filter((row) => row.dimension === dimension)
      .toSorted((a, b) => logins(b) - logins(a) || (a.key < b.key ? -1 : 1))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', this.url)
    if (pathname.startsWith('/api/')) this.requests.push(request.url ?? '')
    if (pathname === '/api/stream') return this.#stream(request, response)
    if (pathname === '/api/summary') {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(this.#summary(searchParams.get('window'))))
      return
    }
    const name = pathname === '/' ? 'index.html' : pathname.slice(1)
    const uplot = uplotFiles[pathname]
    const contentType = contentTypes[extname(name)]
    if (contentType === undefined || name.includes('/')) {
      response.writeHead(404).end()
      return
    }
    const body = await readFile(uplot === undefined ? join(pageDirectory, name) : join(uplotDirectory, uplot))
    response.setHeader('content-security-policy', policy)
    response.setHeader('content-type', contentType)
    response.end(body)
  }

  #stream(request: IncomingMessage, response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    response.write('retry: 2000\n\n')
    this.#streams.add(response)
    request.on('close', () => this.#streams.delete(response))
    this.#tell(response)
  }
}
