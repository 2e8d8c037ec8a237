import type { FastifyError, FastifyInstance, FastifyReply } from 'fastify'
import { CodedError, coded } from '../../errors.ts'
import type { Log } from '../../ports/log.ts'
import { errorBody, type RequestProblem, requestProblems } from './request-problems.ts'

/** Seconds after which it is worth to ask again. */
const retryAfter = '2'

/** Every failure is answered as `{ error: { code, message } }`. What is no fault of who asks is logged, what is so while a process starts only for who debugs. */
export function setErrorAnswers(server: FastifyInstance, log: Log): void {
  // Before any body is looked at.
  server.addHook('onRequest', async ({ method }, reply) => {
    if (method !== 'GET' && method !== 'HEAD') return refuseMethod(reply, ['GET', 'HEAD'])
  })
  server.setNotFoundHandler((_, reply) => refuse(reply, 'NOT_FOUND', 'There is no such resource.'))
  server.setErrorHandler((error: FastifyError, request, reply) => {
    const { message, validation, statusCode = 500 } = error
    if (error instanceof NotFound) return refuse(reply, 'NOT_FOUND', message)
    if (error instanceof BadRequest || validation !== undefined) return refuse(reply, 'BAD_REQUEST', message)
    if (!(error instanceof CodedError) && statusCode < 500)
      return reply.code(statusCode).send(errorBody('BAD_REQUEST', message))
    const failure = coded(error, `${request.method} ${request.routeOptions.url ?? ''}`)
    const passes = failure.behaviour === 'retry' || failure.behaviour === 'abort'
    // While it starts, or reads the table, each probe and each page would be a line.
    const isExpected = failure.code === 'NOT_STARTED' || failure.code === 'TABLE_NOT_READ'
    log[isExpected ? 'debug' : 'warn'](
      { error: failure, route: request.routeOptions.url },
      'A request could not be answered',
    )
    if (passes) reply.header('retry-after', retryAfter)
    return reply.code(passes ? 503 : 500).send(errorBody(failure.code, failure.message))
  })
}

/** There is nothing of that name. */
export class NotFound extends Error {}

/** What was asked for cannot be. */
export class BadRequest extends Error {}

/** Refuses a method where only others are allowed. */
export function refuseMethod(reply: FastifyReply, allowed: readonly string[]): FastifyReply {
  reply.header('allow', allowed.join(', '))
  return refuse(
    reply,
    'METHOD_NOT_ALLOWED',
    `This server is read only; here it takes ${allowed.join(' and ')}.`,
  )
}

function refuse(reply: FastifyReply, code: RequestProblem, message: string): FastifyReply {
  return reply.code(requestProblems[code].status).send(errorBody(code, message))
}
