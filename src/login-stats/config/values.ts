/**
 * The kinds of values that settings have: each a zod schema from the text of an environment variable to a typed value.
 * Messages go on after the name and the value: `COMMIT_INTERVAL_MS=fast: must be ...`.
 */
import { z } from 'zod'
import { CodedError } from '../../errors.ts'
import { type Dimension, parseDimensions } from '../domain/dimensions.ts'

export type Value<T> = z.ZodType<T, string>

/** Makes a schema of a function that returns the value, or throws a `Refusal` with what must be instead. */
function value<T>(read: (text: string) => T): Value<T> {
  return z.string().transform((text, context) => {
    try {
      return read(text)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      context.addIssue({ code: 'custom', message: error.message, input: text })
      return z.NEVER
    }
  })
}

class Refusal extends Error {}

export const text: Value<string> = value((given) => given)

const shortestKey = 16

/** Shorter ones could be found by trying. */
export const secretKey: Value<string> = value((given) => {
  if (given.length < shortestKey) throw new Refusal(`must have at least ${shortestKey} characters`)
  return given
})

/** The empty text is null: nothing, off, or somebody else's default. */
export function optional<T>(schema: Value<T>): Value<T | null> {
  return z.union([z.literal('').transform(() => null), schema])
}

export function integer(min: number, max: number): Value<number> {
  return value((given) => {
    const number = Number(given)
    if (!/^-?\d+$/.test(given) || number < min || number > max)
      throw new Refusal(`must be a whole number from ${min} to ${max}`)
    return number
  })
}

export const flag: Value<boolean> = value((given) => {
  const lower = given.toLowerCase()
  if (lower !== 'true' && lower !== 'false') throw new Refusal('must be true or false')
  return lower === 'true'
})

export function choice<const Choices extends readonly string[]>(choices: Choices): Value<Choices[number]> {
  return value((given) => {
    const found = choices.find((one) => one.toLowerCase() === given.toLowerCase())
    if (found === undefined) throw new Refusal(`must be one of ${choices.join(', ')}`)
    return found
  })
}

/** Such as `http://host:8080`: a path is added by who asks, and credentials would be told to everybody who may read the group. */
export const httpOrigin: Value<string> = value((given) => {
  const url = URL.canParse(given) ? new URL(given) : null
  const isOrigin = url !== null && `${url.origin}/` === url.href && !/[@?#]/.test(given)
  if (!isOrigin || !/^https?:\/\//i.test(given))
    throw new Refusal('must be a URL such as http://host:8080, without user, password, path or query')
  return url.origin
})

/** For messages: names and passwords in front of a host are left out, wherever they end. */
export function withoutUserinfo(given: string): string {
  const at = given.lastIndexOf('@')
  return at < 0 ? given : `***${given.slice(at)}`
}

const longestTopicName = 249

/** A name that Kafka takes for a topic, with `room` characters left for what is added to it. */
export function topicName(room = 0): Value<string> {
  return value((given) => {
    if (!/^[a-zA-Z0-9._-]+$/.test(given) || given === '.' || given === '..')
      throw new Refusal('must consist of letters, digits, ".", "_" and "-"')
    if (given.length > longestTopicName - room)
      throw new Refusal(`must have at most ${longestTopicName - room} characters`)
    return given
  })
}

export const brokerList: Value<readonly string[]> = value((given) => {
  const brokers = parts(given)
  const wrong = brokers.find((broker) => !/^[^\s:/]+:\d{1,5}$/.test(broker))
  if (brokers.length === 0 || wrong !== undefined)
    throw new Refusal(
      `must be a list of host:port, separated by commas${wrong ? `, not "${withoutUserinfo(wrong)}"` : ''}`,
    )
  return brokers
})

const dayInMs = 86_400_000
const unitsInMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: dayInMs }

function durationMs(given: string): number {
  const match = /^(\d{1,12})(ms|s|m|h|d)$/.exec(given)
  const unit = unitsInMs[match?.[2] ?? '']
  if (match === null || unit === undefined)
    throw new Refusal(`must be a duration like 250ms, 30s, 5m, 1h or 7d, not "${given}"`)
  return Number(match[1]) * unit
}

/** A duration such as `5m`, in milliseconds. */
export function duration(minMs: number, maxMs: number): Value<number> {
  return value((given) => {
    const ms = durationMs(given)
    if (ms < minMs || ms > maxMs) throw new Refusal(`must be from ${minMs}ms to ${maxMs / dayInMs}d`)
    return ms
  })
}

export interface RollingWindow {
  /** As it was given, e.g. `5m`; the name in `rolling` of a table row. */
  readonly name: string
  readonly durationMs: number
}

const mostWindows = 16
const longestWindowMs = 366 * dayInMs

/** Windows in the order given, e.g. `1m,5m`; empty for none. */
export const windowList: Value<readonly RollingWindow[]> = value((given) => {
  const windows = parts(given).map((name) => ({ name, durationMs: durationMs(name) }))
  if (windows.length > mostWindows) throw new Refusal(`must be at most ${mostWindows} windows`)
  for (const [index, window] of windows.entries()) {
    if (window.durationMs < 1 || window.durationMs > longestWindowMs)
      throw new Refusal(`must hold windows from 1ms to 366d, not "${window.name}"`)
    const same = windows.slice(0, index).find((other) => other.durationMs === window.durationMs)
    if (same !== undefined) throw new Refusal(`holds the same window twice: ${same.name} and ${window.name}`)
  }
  return windows
})

/** Dimensions in the order given; empty for none but the total. */
export const dimensionList: Value<readonly Dimension[]> = value((given) => {
  try {
    return parseDimensions(given)
  } catch (error) {
    if (error instanceof CodedError) throw new Refusal(error.details.detail ?? error.message)
    throw error
  }
})

function parts(given: string): string[] {
  const trimmed = given.split(',').map((part) => part.trim())
  return trimmed.filter((part) => part !== '')
}
