/**
 * Login events like those of the sample in the contract, without end, the same for the same seed and clock.
 *
 * Of the valid ones some lack a counted field or have it null or empty, some carry a number as timestamp, fractions, fields that
 * nobody counts, escapes or other scripts; most have event times near the clock, slightly out of order, and a few come late.
 */
import { invalidLogin } from './invalid-logins.ts'
import { population, type SkewedChoice, type User, versionChoice } from './population.ts'
import { Xoshiro128 } from './xoshiro128.ts'

export interface LoginGeneratorOptions {
  /** A whole number. */
  readonly seed: number
  /** Share of invalid records, 0 to 1. Default 0. */
  readonly invalidShare?: number
  /** Share of valid logins that come late, by up to `maxLatenessMs`. Default 0.01. */
  readonly lateShare?: number
  /** Default 2 hours. */
  readonly maxLatenessMs?: number
  /**
   * The time of the next login, in ms since the epoch; asked once for each. Default: starts at `startTimeMs` and goes on by
   * `stepMs` each time.
   */
  readonly clock?: () => number
  /** Default: that of the contract's sample. */
  readonly startTimeMs?: number
  /** Default 1. */
  readonly stepMs?: number
  /** Default 10,000. */
  readonly userCount?: number
  /** How unlike the frequencies of locales, device types and versions are; 0: all alike. Default 1. */
  readonly skew?: number
}

export interface GeneratedLogin {
  readonly value: Buffer | null
  /** Whether it counts, with the default dimensions and a record timestamp no earlier than the clock. */
  readonly valid: boolean
  /** What the clock said, in ms: the record's own timestamp. */
  readonly timestampMs: number
}

const SAMPLE_TIME_MS = 1_694_479_551_000
/** Logins reach the topic a little out of order. */
const MAX_JITTER_MS = 2_000

const extras: readonly [string, ...string[]] = [
  '"city":"Málaga"',
  '"city":"Нижний Новгород"',
  '"note":"a \\"quoted\\" word\\n"',
  '"geo":{"lat":36.72,"lon":-4.42}',
  '"roles":["admin",{"level":3}]',
  '"big":12345678901234567890',
  '"locale":"\\u0045\\u0053"',
  '"device_type":"50%:a+b"',
]

/** An endless iterator. */
export function* loginGenerator(options: LoginGeneratorOptions): Generator<GeneratedLogin, never> {
  const { seed, invalidShare = 0, lateShare = 0.01, maxLatenessMs = 7_200_000, skew = 1 } = options
  const random = new Xoshiro128(seed)
  const users = population(random, options.userCount ?? 10_000, skew)
  const versions = versionChoice(skew)
  const clock = options.clock ?? steadyClock(options.startTimeMs ?? SAMPLE_TIME_MS, options.stepMs ?? 1)
  for (;;) {
    const timestampMs = clock()
    const latenessMs = random.chance(lateShare) ? random.below(maxLatenessMs) : random.below(MAX_JITTER_MS)
    const user = users[random.below(users.length)]
    if (user === undefined) throw new RangeError('userCount must be 1 or more')
    const eventTimeMs = timestampMs - latenessMs
    const login = random.chance(0.05)
      ? oddLogin(random, user, versions, eventTimeMs)
      : plainLogin(random, user, versions, eventTimeMs)
    yield random.chance(invalidShare)
      ? { value: invalidLogin(random, login, Math.floor(eventTimeMs / 1_000)), valid: false, timestampMs }
      : { value: Buffer.from(login), valid: true, timestampMs }
  }
}

function steadyClock(startMs: number, stepMs: number): () => number {
  let nextMs = startMs
  return () => {
    const nowMs = nextMs
    nextMs += stepMs
    return nowMs
  }
}

function plainLogin(random: Xoshiro128, user: User, versions: SkewedChoice, eventTimeMs: number): string {
  return (
    `{"user_id":"${user.userId}","app_version":"${versions.next(random)}","device_type":"${user.deviceType}",` +
    `"ip":"${randomIp(random)}","locale":"${user.locale}","device_id":"${user.deviceId}",` +
    `"timestamp":"${Math.floor(eventTimeMs / 1_000)}"}`
  )
}

function randomIp(random: Xoshiro128): string {
  const bits = random.uint32()
  return `${1 + ((bits >>> 24) % 223)}.${(bits >>> 16) & 255}.${(bits >>> 8) & 255}.${bits & 255}`
}

/** A valid login that is unusual in one way. */
function oddLogin(random: Xoshiro128, user: User, versions: SkewedChoice, eventTimeMs: number): string {
  const plain = plainLogin(random, user, versions, eventTimeMs)
  const seconds = Math.floor(eventTimeMs / 1_000)
  switch (random.below(6)) {
    case 0:
      return plain.replace(`,"locale":"${user.locale}"`, '')
    case 1:
      return plain.replace(`"locale":"${user.locale}"`, '"locale":null')
    case 2:
      return plain.replace(`"device_type":"${user.deviceType}"`, '"device_type":""')
    case 3:
      return plain.replace(`"timestamp":"${seconds}"`, `"timestamp":${seconds}`)
    case 4:
      return plain.replace(`"timestamp":"${seconds}"`, `"timestamp": ${eventTimeMs / 1_000} `)
    default:
      return `${plain.slice(0, -1)},${random.pick(extras)}}`
  }
}
