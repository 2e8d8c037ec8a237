/** The routes of the HTTP server of one instance: read only, the same answers from any instance. */
import swagger from '@fastify/swagger'
import Fastify, { type FastifyInstance } from 'fastify'
import { jsonSchemaTransform, serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Log } from '../../ports/log.ts'
import { defaultLimits, type Limits } from '../limits.ts'
import type { ProcessMetrics } from '../metrics/process-metrics.ts'
import type { Answers } from './answers.ts'
import { setErrorAnswers } from './error-answers.ts'
import { failures } from './failures.ts'
import { addHealthRoutes } from './health-routes.ts'
import type { HttpListener } from './http-listener.ts'
import { addPageRoutes } from './page-routes.ts'
import { answerHeaders, answerPlainly } from './plain-answers.ts'
import { errorBody, requestProblems } from './request-problems.ts'
import { addStreamRoute } from './stream-route.ts'
import { addTableRoutes } from './table-routes.ts'
import { addTaskRoutes } from './task-routes.ts'

export interface HttpServerOptions {
  readonly version: string
  readonly answers: Answers
  readonly metrics: ProcessMetrics
  readonly log: Log
  readonly limits?: Limits
}

/** A key of eight fields of 256 bytes, percent-encoded in the key and once more in the URL, would be longer: /api/table finds those. */
export const longestParameter = 4096
const tooLong = `A key in the URL is at most ${longestParameter} characters long; /api/table finds the row.`
const bodyLimit = 1024
const refusals = Object.entries(requestProblems).map(
  ([code, { status, meaning }]) => `${status} ${code}: ${meaning}`,
)
const apiDescription = `Exact rolling login counts. Read only; any instance answers for the whole table.

Failures are \`{"error":{"code","message"}}\`. Of the request: ${refusals.join(' ')} Of the process: 503 with Retry-After for what passes, and \
500 for what does not, with a code of docs/ERRORS.md.`

/** Answers what the listener hears. Returns how to end what it has under way. */
export async function serve(
  listener: HttpListener,
  options: HttpServerOptions,
): Promise<() => Promise<void>> {
  const server = Fastify({
    logger: false,
    bodyLimit,
    routerOptions: { maxParamLength: longestParameter },
    // A URL that is none.
    frameworkErrors: ({ statusCode = 400 }, _, reply) => {
      const message = statusCode === 414 ? tooLong : 'The path of the URL is not percent-encoded UTF-8.'
      answerPlainly(reply.raw, statusCode, errorBody('BAD_REQUEST', message))
    },
    // The listener answers them.
    clientErrorHandler: () => undefined,
    // It listens already; what it hears comes by `routing`.
    serverFactory: () => listener.server,
  })
  await addRoutes(server, options)
  await server.ready()
  listener.handleWith((request, response) => server.routing(request, response))
  return () => server.close()
}

async function addRoutes(
  server: FastifyInstance,
  { answers, metrics, version, log, limits = defaultLimits }: HttpServerOptions,
): Promise<void> {
  server.setValidatorCompiler(validatorCompiler)
  server.setSerializerCompiler(serializerCompiler)
  server.addHook('onRequest', async (_, reply) => void reply.headers(answerHeaders))
  setErrorAnswers(server, log)
  server.addHook('onResponse', async ({ method, routeOptions: { url } }, reply) => {
    const labels = { method, route: url ?? 'none', status: String(reply.statusCode) }
    metrics.requests.observe(labels, reply.elapsedTime / 1000)
  })
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'login-stats',
        description: apiDescription,
        version,
      },
    },
    transform: jsonSchemaTransform,
  })
  await server.register(async (routes) => {
    addHealthRoutes(routes, answers)
    addTableRoutes(routes, answers)
    addTaskRoutes(routes, answers)
    addStreamRoute(routes, answers, { metrics, log, limits })
    await addPageRoutes(routes)
    const metricsSchema = {
      summary: 'Metrics, as Prometheus reads them.',
      response: { 200: { content: { 'text/plain': { schema: z.string() } } }, ...failures },
    }
    routes.get('/metrics', { schema: metricsSchema }, async (_, reply) =>
      reply.type(metrics.contentType).send(await metrics.text()),
    )
    routes.get('/openapi.json', { schema: { hide: true } }, async () => server.swagger())
  })
}
