/** Answers that need no routes: those of a server that is starting, and to what is no request. */
import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { errorBody } from './request-problems.ts'

/** Of every answer, unless it says otherwise: it is as of now, and what it is called. */
export const answerHeaders = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const
const json = 'application/json; charset=utf-8'

export function answerPlainly(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = JSON.stringify(body)
  const length = { 'content-length': Buffer.byteLength(text) }
  response.writeHead(status, { 'content-type': json, ...length, ...answerHeaders, ...headers }).end(text)
}

const statusOf: Readonly<Record<string, number>> = { ERR_HTTP_REQUEST_TIMEOUT: 408, HPE_HEADER_OVERFLOW: 431 }
const messages: Readonly<Record<number, string>> = {
  408: 'The request has not arrived whole in time.',
  431: 'The URL and the headers of the request are too long.',
}

/** For the event `clientError`: there is no request that could be answered, only a connection. */
export function answerNoRequest(error: Error & { readonly code?: string }, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const status = statusOf[error.code ?? ''] ?? 400
  const body = JSON.stringify(errorBody('BAD_REQUEST', messages[status] ?? 'The request is no HTTP.'))
  const headers = {
    ...{ 'content-type': json, 'content-length': Buffer.byteLength(body), connection: 'close' },
    ...answerHeaders,
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  socket.end([`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, '', body].join('\r\n'))
}
