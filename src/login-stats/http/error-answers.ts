import type { FastifyError, FastifyInstance } from 'fastify'
import { CodedError, coded } from '../../errors.ts'
import type { Log } from '../../ports/log.ts'

/** Seconds after which it is worth to ask again. */
const retryAfter = '2'

/** Every failure is answered as `{ error: { code, message } }`. What is no fault of who asks is logged. */
export function setErrorAnswers(server: FastifyInstance, log: Log): void {
  server.setNotFoundHandler((request, reply) => {
    const isKnown = ['GET', 'HEAD'].includes(request.method)
    return reply
      .code(isKnown ? 404 : 405)
      .send(
        errorBody(
          isKnown ? 'NOT_FOUND' : 'METHOD_NOT_ALLOWED',
          'There is no such resource; this server is read only.',
        ),
      )
  })
  server.setErrorHandler((error: FastifyError, request, reply) => {
    if (error instanceof NotFound) return reply.code(404).send(errorBody('NOT_FOUND', error.message))
    if (error instanceof BadRequest) return reply.code(400).send(errorBody('BAD_REQUEST', error.message))
    if (error.validation !== undefined) return reply.code(400).send(errorBody('BAD_REQUEST', error.message))
    if (!(error instanceof CodedError) && (error.statusCode ?? 500) < 500) {
      return reply.code(error.statusCode ?? 400).send(errorBody('BAD_REQUEST', error.message))
    }
    const failure = coded(error, `${request.method} ${request.routeOptions.url ?? ''}`)
    const passes = failure.behaviour === 'retry' || failure.behaviour === 'abort'
    log.warn({ error: failure, route: request.routeOptions.url }, 'A request could not be answered')
    if (passes) reply.header('retry-after', retryAfter)
    return reply.code(passes ? 503 : 500).send(errorBody(failure.code, failure.message))
  })
}

/** There is nothing of that name. */
export class NotFound extends Error {}

/** What was asked for cannot be. */
export class BadRequest extends Error {}

function errorBody(code: string, message: string): { error: { code: string; message: string } } {
  return { error: { code, message } }
}
