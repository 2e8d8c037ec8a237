import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { systemClock } from '../../system/clock.ts'
import { readFresh } from '../follow/freshness.ts'
import type { RowOrder } from '../table/index.ts'
import type { Answers } from './answers.ts'
import { errorSchema, insightsSchema, oneRowSchema, rowsSchema, summarySchema } from './api-schemas.ts'
import { BadRequest, NotFound } from './error-answers.ts'
import { failures, passing } from './failures.ts'
import { knownNames } from './known-names.ts'

export const mostRows = 10_000
export const mostInSummary = 100
const orderPattern = /^-?(count|value|rolling\.[^.]{1,16})$/

/** Digits alone: Number() reads an empty text, blanks and hexadecimal figures too. */
const wholeNumber = (absent: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, `must be a whole number from 0 to ${most}`)
    .transform(Number)
    .pipe(z.int().min(0).max(most))
    .default(absent)
    .meta({
      type: 'integer',
      minimum: 0,
      maximum: most,
      description: `${absent} if absent.`,
      pattern: undefined,
    })

const tableQuery = z.strictObject({
  dimension: z.string().max(1024).optional().describe('Only rows of this dimension, e.g. locale.'),
  order: z
    .string()
    .regex(orderPattern, 'must be count, value or rolling.WINDOW, with - before it for falling')
    .default('-count')
    .describe('count, value or rolling.WINDOW such as rolling.5m; with - before it: falling.'),
  limit: wholeNumber(100, mostRows),
  offset: wholeNumber(0, mostRows),
})

const failuresOfTable = {
  400: errorSchema,
  ...failures,
  503: passing('TABLE_NOT_READ: the table has not been read to its end. TABLE_BUSY: too many others ask.'),
}

export const summaryQuery = {
  limit: wholeNumber(10, mostInSummary),
  window: z
    .string()
    .max(16)
    .optional()
    .describe('Rows with the most logins in this rolling window, e.g. 5m.'),
}

export function addTableRoutes(server: FastifyInstance, answers: Answers): void {
  const routes = server.withTypeProvider<ZodTypeProvider>()
  routes.get(
    '/api/table',
    {
      schema: {
        summary: 'Rows of the table, in an order.',
        querystring: tableQuery,
        response: { 200: rowsSchema, ...failuresOfTable },
      },
    },
    async ({ query }) => {
      const { limit, offset } = query
      if (offset + limit > mostRows)
        throw new BadRequest(`offset and limit together must be at most ${mostRows}.`)
      const { table, scans } = await answers.complete()
      const order = orderOf(query.order)
      const window = typeof order.by === 'object' ? order.by.window : undefined
      const { dimension } = await knownNames(table, answers.counted, { dimension: query.dimension, window })
      return await scans.run(`rows ${JSON.stringify({ ...query, dimension })}`, () =>
        readFresh(table, systemClock, async () => {
          const keyCount = dimension === undefined ? table.size : (table.keyCounts.get(dimension) ?? 0)
          const rows = await table.ordered(dimension ?? null, order, offset + limit)
          return { key_count: keyCount, rows: rows.slice(offset) }
        }),
      )
    },
  )
  routes.get(
    '/api/table/:key',
    {
      schema: {
        summary: 'One row, by its key such as locale:RU.',
        params: z.object({ key: z.string() }),
        response: { 200: oneRowSchema, 404: errorSchema, ...failuresOfTable },
      },
    },
    async ({ params: { key } }) => {
      const { table } = await answers.complete()
      return await readFresh(table, systemClock, async () => {
        const row = await table.get(key)
        if (row === null) throw new NotFound('The table has no row of this key.')
        return { row }
      })
    },
  )
  routes.get(
    '/api/summary',
    {
      schema: {
        summary: 'The table at a glance: the total, and of each dimension the rows at either end.',
        querystring: z.strictObject(summaryQuery),
        response: { 200: summarySchema, ...failuresOfTable },
      },
    },
    async ({ query: { limit, window } }) => {
      const following = await answers.complete()
      await knownNames(following.table, answers.counted, { window })
      return await answers.summary(following, { limit, window: window ?? null })
    },
  )
  routes.get(
    '/api/insights',
    {
      schema: {
        summary: 'What the last summary record would say now.',
        response: { 200: insightsSchema, ...failuresOfTable },
      },
    },
    () => answers.insights(),
  )
}

function orderOf(text: string): RowOrder {
  const direction = text.startsWith('-') ? 'falling' : 'rising'
  const name = text.replace(/^-/, '')
  if (name === 'count' || name === 'value') return { by: name, direction }
  return { by: { window: name.slice('rolling.'.length) }, direction }
}
