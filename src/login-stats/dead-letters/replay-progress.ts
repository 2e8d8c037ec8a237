/**
 * How far replays have got: the compacted topic `<APP_ID>-dlq-replay`, of one partition. A replay writes its progress in the transactions
 * that hold the replayed records, so the one is there if and only if the other is. For every partition of a dead-letter topic, and for
 * replays of all codes ("*") and of each one by itself, a record:
 *
 *     {"dlq":"user-login-dlq","input":"user-login","code":"*","partition":0}
 *     {"version":1,"dlq_id":"<topic id>","input_id":"<topic id>","offset":<offset>,"source":<offset>,"time":<ms>,"again":[],"vouched":null}
 *
 * Compaction keeps the last one of each, however long ago it was written; the committed offsets of a group would be forgotten after a week.
 *
 * A reset, or a group whose offsets were put back, makes the processor read the input once more, so that the same records become dead
 * once more, at the end of the topic, and maybe for another reason. The copies that were replayed are in the input still, so these letters
 * must not be replayed again; of their own offsets nobody could tell. So a mark also says how far the input has been passed, by letters of
 * whatever code: a partition's letters are in the order of its input partition until that is read once more, and a letter behind the mark is
 * a repetition if its source stands at or below `source`, and its record is no younger than `time`, the youngest one passed (in an input
 * that was made again the records are younger, and their offsets begin anew). So is one before the mark where the replay itself has met
 * repetitions (`again`): it may have passed it for its code. The marks of all codes count for that, and those of other dead-letter topics of
 * the same input. An offset counts only in the topic whose id stands beside it.
 *
 * Who vouches for repetitions (`--repeated write`) vouches for what was done before: what the same replay has passed itself stays a repetition,
 * also where it was killed or had a limit, and another one goes on behind it. So `vouched` says how far it has passed the input, until it has
 * come to the end of the letters.
 */
import { z } from 'zod'
import { CodedError } from '../../errors.ts'
import type { LetterOrigin } from '../domain/dead-letter.ts'
import type { Letter } from './letters.ts'
import type { DeadLetterTopics } from './topics.ts'

/** Up to where letters have passed a partition of the input. */
export interface PassedInput {
  /** The highest offset; -1 for none. */
  readonly source: number
  /** The timestamp of the youngest record, in ms; -1 for none. */
  readonly time: number
}

/** How far a replay has got in one partition of the dead-letter topic: letters below `offset` are done, and have passed so much of the input. */
export interface ReplayMark extends PassedInput {
  readonly offset: number
  /** Each time that the input was read once more: the first letter of that, and `source` before it. */
  readonly again: readonly { readonly offset: number; readonly source: number }[]
  /** What a replay that writes repetitions has passed itself, as far as it has got; null where none is under way. */
  readonly vouched: PassedInput | null
}

export const nothingPassed: PassedInput = { source: -1, time: -1 }
/** Of a replay that has not begun. */
export const noMark: ReplayMark = { offset: 0, ...nothingPassed, again: [], vouched: null }

/** What a record of progress is about; topics by their names. */
export interface MarkPlace {
  readonly dlq: string
  readonly input: string
  /** Null: of replays of all codes. */
  readonly code: string | null
  /** Of the dead-letter topic. */
  readonly partition: number
}

/**
 * Whether a letter is of a record that the replay may have had another letter of, before this one. It errs where a record became dead only
 * when the input was read once more: then no replay has had a letter of it.
 */
export function isRepetition(mark: ReplayMark, letter: Letter): boolean {
  const { offset, time, again } = mark
  if (letter.offset >= offset) return isPassed(mark, letter)
  const { origin, partition } = letter
  if (origin === null || origin.partition !== partition || origin.timestamp > time) return false
  return again.some((from) => letter.offset >= from.offset && origin.offset <= from.source)
}

/** Whether the record of a letter behind all those was among what they have passed. */
export function isPassed({ source, time }: PassedInput, { origin, partition }: Letter): boolean {
  return origin?.partition === partition && origin.timestamp <= time && origin.offset <= source
}

/** With one letter more. */
export function passedWith({ source, time }: PassedInput, { offset, timestamp }: LetterOrigin): PassedInput {
  return { source: Math.max(source, offset), time: Math.max(time, timestamp) }
}

const format = 1
const allCodes = '*'

const keySchema = z.object({
  dlq: z.string(),
  input: z.string(),
  code: z.string(),
  partition: z.int().nonnegative(),
})
// A record may carry any timestamp.
const passedSchema = z.object({ source: z.int(), time: z.number() })
const versionSchema = z.object({ version: z.int() })
const valueSchema = z.object({
  version: z.literal(format),
  /** Null where the brokers know no topic ids. */
  dlq_id: z.string().nullable(),
  input_id: z.string().nullable(),
  offset: z.int().nonnegative(),
  ...passedSchema.shape,
  again: z.array(z.object({ offset: z.int().nonnegative(), source: z.int() })).readonly(),
  // Marks of before have none.
  vouched: passedSchema.nullable().default(null),
})

/** A record of progress in these topics. */
export function encodeMark(
  code: string | null,
  partition: number,
  mark: ReplayMark,
  topics: DeadLetterTopics,
) {
  const { dlq, input, inputTopic } = topics
  const value: z.infer<typeof valueSchema> = {
    version: format,
    dlq_id: dlq.topicId,
    input_id: input?.topicId ?? null,
    ...mark,
  }
  const key = { dlq: dlq.name, input: inputTopic, code: code ?? allCodes, partition }
  return { key: jsonBytes(key), value: jsonBytes(value) }
}

function jsonBytes(value: object): Buffer {
  return Buffer.from(JSON.stringify(value))
}

/**
 * What a record of progress says about the topics as they are now; null where it is about another input. `endOf`: the end of a partition of
 * the dead-letter topic. Throws FORMAT_TOO_NEW, and CORRUPT_BATCH for a record that is none of ours: to pass over it might write letters
 * back twice.
 */
export function decodeMark(
  key: Buffer | null,
  value: Buffer | null,
  topics: DeadLetterTopics,
  endOf: (partition: number) => number,
): { readonly place: MarkPlace; readonly mark: ReplayMark } | null {
  const { code, ...place } = parsed(keySchema, key)
  const { version } = parsed(versionSchema, value)
  if (version > format)
    throw new CodedError('FORMAT_TOO_NEW', {
      operation: 'read how far replays have got',
      detail: `Its format is ${version}, this program knows ${format}.`,
    })
  const told = parsed(valueSchema, value)
  if (place.input !== topics.inputTopic) return null
  const isSameDlq = place.dlq === topics.dlq.name && told.dlq_id === topics.dlq.topicId
  const isThere = isSameDlq && told.offset <= endOf(place.partition)
  const isSameInput = told.input_id === (topics.input?.topicId ?? null)
  return {
    place: { ...place, code: code === allCodes ? null : code },
    mark: {
      offset: isThere ? told.offset : noMark.offset,
      source: isSameInput ? told.source : noMark.source,
      time: isSameInput ? told.time : noMark.time,
      again: isThere && isSameInput ? told.again : noMark.again,
      vouched: isThere && isSameInput ? told.vouched : noMark.vouched,
    },
  }
}

function parsed<T>(schema: z.ZodType<T>, bytes: Buffer | null): T {
  const result = schema.safeParse(parsedJson(bytes))
  if (result.success) return result.data
  throw new CodedError('CORRUPT_BATCH', {
    operation: 'read how far replays have got',
    detail: 'The topic holds a record that no replay has written; something else has written to it.',
  })
}

function parsedJson(bytes: Buffer | null): unknown {
  try {
    return JSON.parse(String(bytes))
  } catch {
    // No record of ours; the schema says so.
    return undefined
  }
}
