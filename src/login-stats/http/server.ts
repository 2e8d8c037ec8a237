/** The routes of the HTTP server of one instance: read only, the same answers from any instance. */
import swagger from '@fastify/swagger'
import Fastify, { type FastifyInstance } from 'fastify'
import { jsonSchemaTransform, serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import type { Log } from '../../ports/log.ts'
import type { ProcessMetrics } from '../metrics/process-metrics.ts'
import type { Answers } from './answers.ts'
import { setErrorAnswers } from './error-answers.ts'
import { addHealthRoutes } from './health-routes.ts'
import type { HttpListener } from './http-listener.ts'
import { addPageRoutes } from './page-routes.ts'
import { addStreamRoute } from './stream-route.ts'
import { addTableRoutes } from './table-routes.ts'
import { addTaskRoutes } from './task-routes.ts'

export interface HttpServerOptions {
  readonly version: string
  readonly answers: Answers
  readonly metrics: ProcessMetrics
  readonly log: Log
}

/** A key of eight fields of 256 bytes, percent-encoded in the key and once more in the URL, would be longer: /api/table finds those. */
const longestParameter = 4096
const bodyLimit = 1024

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
    frameworkErrors: (error, _, reply) => {
      const body = JSON.stringify({ error: { code: 'BAD_REQUEST', message: error.message } })
      reply.raw.writeHead(error.statusCode ?? 400, { 'content-type': 'application/json' }).end(body)
    },
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
  { answers, metrics, version, log }: HttpServerOptions,
): Promise<void> {
  server.setValidatorCompiler(validatorCompiler)
  server.setSerializerCompiler(serializerCompiler)
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
        description: 'Exact rolling login counts. Read only; any instance answers for the whole table.',
        version,
      },
    },
    transform: jsonSchemaTransform,
  })
  await server.register(async (routes) => {
    addHealthRoutes(routes, answers)
    addTableRoutes(routes, answers)
    addTaskRoutes(routes, answers)
    addStreamRoute(routes, answers, { metrics, log })
    await addPageRoutes(routes)
    routes.get('/metrics', { schema: { hide: true } }, async (_, reply) =>
      reply.type(metrics.contentType).send(await metrics.text()),
    )
    routes.get('/openapi.json', { schema: { hide: true } }, async () => server.swagger())
  })
}
