/**
 * What the HTTP API answers: one schema for each kind of answer. Answers are checked against them, `/openapi.json` is made of them, and so
 * are the types that the server's own code uses. Times are ISO 8601 in UTC; `*_ms` are milliseconds.
 */
import { z } from 'zod'

const time = z.string().describe('ISO 8601, UTC')
const wholeNumber = z.int().min(0)

/** Of each answer about the table: how much it can be relied on. */
const freshness = {
  as_of: time
    .nullable()
    .describe(
      'Stream time of the row `total`: the highest event time that it has counted. Each row has its own, which may be later; null while there is no total.',
    ),
  age_ms: wholeNumber
    .nullable()
    .describe(
      'All that was committed before so many milliseconds is in the answer; null until the table has been read once.',
    ),
  is_complete: z
    .boolean()
    .describe(
      'True: the table has been read to its end. Only the event `summary` is also sent while it is being read, with false and without any row.',
    ),
}

export const rowSchema = z.object({
  key: z.string(),
  dimension: z.string(),
  value: z.string(),
  count: wholeNumber,
  rolling: z.record(z.string(), wholeNumber),
  first_seen: time,
  last_seen: time,
  as_of: time,
})

export const rowsSchema = z.object({
  ...freshness,
  key_count: wholeNumber.describe('Rows that match, however many of them are given.'),
  rows: z.array(rowSchema),
})

export const oneRowSchema = z.object({ ...freshness, row: rowSchema })

export const deadLettersSchema = z.object({
  count: wholeNumber.describe(
    'Those in the topic since this instance began to follow it. What retention deletes afterwards stays counted, so that instances may differ.',
  ),
  by_code: z
    .record(z.string(), wholeNumber)
    .describe(
      'By the code of the reason. `none`: letters without one, which somebody else has written. `other`: letters with a code that is too long, or one too many.',
    ),
})

export const dimensionSummarySchema = z.object({
  dimension: z.string(),
  key_count: wholeNumber,
  sum: z
    .number()
    .min(0)
    .describe(
      'Logins of all its rows, in the window if one was asked for: what each row has a share of. Rows are counted by several tasks, so it may differ from the total for a while.',
    ),
  top: z.array(rowSchema).describe('Rows with the most logins, the most first.'),
  least: z.array(rowSchema).describe('Rows with the fewest logins, the fewest first.'),
})

export const summarySchema = z.object({
  ...freshness,
  failure: z
    .object({ code: z.string(), message: z.string() })
    .nullable()
    .describe('Why the server cannot read the table at present; null while all is well.'),
  total: rowSchema.nullable(),
  rate_per_second: z
    .number()
    .nullable()
    .describe('Logins counted a second, over the last ten seconds; null while unknown.'),
  windows: z.array(z.string()).describe('Names of the rolling windows, as in `rolling`.'),
  dimensions: z.array(dimensionSummarySchema),
  dead_letters: deadLettersSchema
    .nullable()
    .describe('Null where there is no dead-letter topic, or it has not been read yet.'),
})

export const restoreSchema = z.object({
  position: wholeNumber,
  end: wholeNumber,
  remaining_records: wholeNumber,
  remaining_seconds: z.number().nullable(),
})

export const taskSchema = z.object({
  task: z.string().describe('Subtopology and partition, such as 1_3.'),
  topic: z.string(),
  partition: wholeNumber,
  instance: z.string().nullable().describe('The instance that has the task; null while none has.'),
  state: z
    .string()
    .describe('created, restoring, running or closed; unknown where the instance does not tell; unassigned.'),
  lag_records: wholeNumber
    .nullable()
    .describe('Committed records of its input that it has not committed yet.'),
  restore: restoreSchema.nullable(),
  standbys: z.array(z.object({ instance: z.string(), lag_records: wholeNumber.nullable() })),
})

export const instanceSchema = z.object({
  instance: z.string(),
  host: z.string().describe('Where the broker sees it.'),
  endpoint: z.string().nullable().describe('URL of its HTTP server; null where it has none.'),
  is_reachable: z.boolean().describe('Whether it has told its part itself.'),
  is_this: z.boolean(),
  tasks: z.array(z.string()),
  standby_tasks: z.array(z.string()),
})

export const tasksSchema = z.object({
  age_ms: wholeNumber.describe('How old the answer is.'),
  group: z.string(),
  group_state: z
    .string()
    .describe(
      "The group's state as Kafka has it: Stable, PreparingRebalance, CompletingRebalance, Empty, Dead.",
    ),
  instances: z.array(instanceSchema),
  tasks: z.array(taskSchema),
})

export const changedRowsSchema = z.object({
  ...freshness,
  rows: z.array(z.union([rowSchema, z.object({ key: z.string(), deleted: z.literal(true) })])),
})

export const shareSchema = z.object({ value: z.string(), count: wholeNumber, share: z.number() })

export const insightsSchema = z.object({
  generated_at: time,
  instance: z.string(),
  as_of: time.nullable(),
  age_ms: wholeNumber
    .nullable()
    .describe('All that was committed so many milliseconds before `generated_at` is in it.'),
  logins: wholeNumber,
  rolling: z.record(z.string(), wholeNumber),
  rate_per_second: z.number().nullable(),
  dimensions: z.record(
    z.string(),
    z.object({
      distinct: wholeNumber,
      shares: z
        .array(shareSchema)
        .describe('Of the logins of all its values, the largest first, at most twenty.'),
      most_active: shareSchema.nullable(),
      least_active: shareSchema.nullable(),
    }),
  ),
  dead_letters: deadLettersSchema.nullable(),
})

export const healthSchema = z.object({ status: z.enum(['ok', 'not ready']), reasons: z.array(z.string()) })

export const errorSchema = z.object({
  error: z.object({ code: z.string().describe('Stable; docs/ERRORS.md has all.'), message: z.string() }),
})

export type Row = z.infer<typeof rowSchema>
export type Rows = z.infer<typeof rowsSchema>
export type Summary = z.infer<typeof summarySchema>
export type DeadLetters = z.infer<typeof deadLettersSchema>
export type Tasks = z.infer<typeof tasksSchema>
export type Task = z.infer<typeof taskSchema>
export type Instance = z.infer<typeof instanceSchema>
export type Restore = z.infer<typeof restoreSchema>
export type ChangedRows = z.infer<typeof changedRowsSchema>
export type Insights = z.infer<typeof insightsSchema>
export type Health = z.infer<typeof healthSchema>

/** What one instance tells the others of its own tasks. */
export const instanceReportSchema = z.object({
  instance: z.string(),
  tasks: z.array(
    z.object({
      task: z.string(),
      state: z.string(),
      lag_records: wholeNumber.nullable(),
      restore: restoreSchema.nullable(),
    }),
  ),
})
