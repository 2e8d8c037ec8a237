/**
 * The HTTP server of one instance: read only, the same answers from any instance. It listens before the processor runs, so that
 * probes have somebody to talk to; what needs the processor says so until it is there.
 */
import swagger from '@fastify/swagger'
import Fastify, { type FastifyInstance } from 'fastify'
import { jsonSchemaTransform, serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import { CodedError } from '../../errors.ts'
import type { Log } from '../../ports/log.ts'
import type { ProcessMetrics } from '../metrics/process-metrics.ts'
import type { Answers } from './answers.ts'
import { setErrorAnswers } from './error-answers.ts'
import { addHealthRoutes } from './health-routes.ts'
import { addPageRoutes } from './page-routes.ts'
import { addStreamRoute } from './stream-route.ts'
import { addTableRoutes } from './table-routes.ts'
import { addTaskRoutes } from './task-routes.ts'
import { urlHost } from './url-host.ts'

export interface HttpServerOptions {
  readonly host: string
  /** 0: a free one. */
  readonly port: number
  /** A port that is taken is a failure; else a free one is taken instead. */
  readonly mustHavePort: boolean
  readonly version: string
  readonly answers: Answers
  readonly metrics: ProcessMetrics
  readonly log: Log
}

export interface HttpServer {
  /** That it listens on. */
  readonly port: number
  close(): Promise<void>
}

/** A key of eight fields of 256 bytes, percent-encoded in the key and once more in the URL, would be longer: those are found by /api/table. */
const longestParameter = 4096
const limits = {
  bodyLimit: 1024,
  /** For the whole request to arrive. */
  requestTimeout: 10_000,
  connectionTimeout: 0,
  keepAliveTimeout: 30_000,
  maxRequestsPerSocket: 0,
  routerOptions: { maxParamLength: longestParameter },
}
const mostConnections = 500

/** Listens. Throws HTTP_PORT_IN_USE, and CONFIG_INVALID for a host that is not of this machine. */
export async function openHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const server = await buildServer(options)
  const { host, port, mustHavePort, log } = options
  try {
    await listen(server, host, port)
  } catch (error) {
    if (mustHavePort || !(error instanceof CodedError) || error.code !== 'HTTP_PORT_IN_USE') {
      await server.close()
      throw error
    }
    log.warn({ port }, 'The default HTTP port is taken; a free one is used instead')
    await listen(server, host, 0)
  }
  const address = server.server.address()
  const taken = typeof address === 'object' && address !== null ? address.port : port
  log.info({ url: `http://${urlHost(host)}:${taken}/` }, 'HTTP server is listening')
  return { port: taken, close: () => server.close() }
}

async function buildServer(options: HttpServerOptions): Promise<FastifyInstance> {
  const { answers, metrics, version, log } = options
  const server = Fastify({ ...limits, logger: false, forceCloseConnections: true, return503OnClosing: true })
  server.server.maxConnections = mostConnections
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
    addStreamRoute(routes, answers, metrics)
    await addPageRoutes(routes)
    routes.get('/metrics', { schema: { hide: true } }, async (_, reply) =>
      reply.type(metrics.contentType).send(await metrics.text()),
    )
    routes.get('/openapi.json', { schema: { hide: true } }, async () => server.swagger())
  })
  return server
}

async function listen(server: FastifyInstance, host: string, port: number): Promise<void> {
  try {
    await server.listen({ host, port })
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    const operation = `listen on ${urlHost(host)}:${port}`
    if (code === 'EADDRINUSE') throw new CodedError('HTTP_PORT_IN_USE', { operation, cause })
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EACCES') {
      throw new CodedError('CONFIG_INVALID', { operation, detail: `HTTP_HOST or HTTP_PORT: ${code}.`, cause })
    }
    throw cause
  }
}
