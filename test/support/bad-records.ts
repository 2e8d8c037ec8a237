/** Records that no setting makes valid logins, of every kind that we could think of, and a few good ones between. */
import { invalidLogin } from '../../src/login-stats/generator/invalid-logins.ts'
import { loginGenerator } from '../../src/login-stats/generator/login-generator.ts'
import type { Xoshiro128 } from '../../src/login-stats/generator/xoshiro128.ts'
import type { Header } from '../../src/ports/kafka.ts'
import { systemClock } from '../../src/system/clock.ts'

export interface InputRecord {
  readonly isValid: boolean
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly Header[]
  readonly timestamp: number
}

/** The largest batch of a topic that nobody has configured. */
const maxMessageBytes = 1_048_588
/** One of so many is about as large as the input takes. */
const largeEvery = 250
/** One of so many is a good one. */
const goodEvery = 100

/** `count` invalid records, each with a header of its own, and some valid ones besides. */
export function* badRecords(random: Xoshiro128, count: number): Generator<InputRecord> {
  const good = loginGenerator({
    seed: random.uint32(),
    invalidShare: 0,
    clock: () => systemClock.now(),
  })
  for (let number = 0; number < count; number++) {
    const { value, timestampMs: timestamp } = good.next().value
    if (number % goodEvery === 0) yield { isValid: true, key: null, value, headers: [], timestamp }
    // A million of them would be four gigabytes.
    const isLarge = number % largeEvery === 0 && number < 100 * largeEvery
    yield {
      isValid: false,
      key: random.chance(0.2) ? noise(random, 20) : null,
      value: isLarge ? large(random, number) : bad(random, String(value)),
      headers: [['trace', Buffer.from(`${number}`)]],
      timestamp,
    }
  }
}

function bad(random: Xoshiro128, good: string): Buffer | null {
  const kind = random.below(4)
  if (kind === 0) return noise(random, 400)
  if (kind === 1) return Buffer.from(random.pick(ofPrototypes))
  if (kind === 2) return broken(random, Buffer.from(good))
  return invalidLogin(random, good, Math.floor(systemClock.now() / 1000))
}

/** Whatever bytes. A short one could be JSON, even an object; it is no login. */
function noise(random: Xoshiro128, limit: number): Buffer {
  const bytes = Buffer.allocUnsafe(1 + random.below(limit))
  for (let at = 0; at < bytes.length; at++) bytes[at] = random.below(256)
  return bytes
}

/** A good login whose quotes are damaged, so that no object is left. */
function broken(random: Xoshiro128, good: Buffer): Buffer {
  const bytes = Buffer.from(good)
  bytes[0] = random.pick([0, 0x20, 0x5b, 0x22, 0xc3, 0xff])
  return bytes
}

const timestamp = '"timestamp":"1694479551"'
const ofPrototypes = [
  `{"__proto__":{"user_id":"a",${timestamp}}}`,
  `{"__proto__":{"user_id":"a"},${timestamp}}`,
  `{"constructor":{"prototype":{"user_id":"a"}},${timestamp}}`,
  `{"user_id":{"__proto__":"a"},${timestamp}}`,
  `{"user_id":{"toString":"a"},${timestamp}}`,
  `{"user_id":"a","timestamp":{"valueOf":1694479551}}`,
  `{"user_id":"a","__proto__":{${timestamp}}}`,
  `{"user_id":"a",${timestamp},"locale":{"__proto__":null}}`,
  `{"hasOwnProperty":1,${timestamp}}`,
  '{"__proto__":null}',
  `{"user_id":["a"],${timestamp}}`,
  `{"user_id":true,${timestamp}}`,
  `{"user_id":"a","timestamp":null}`,
  `{"user_id":"a","timestamp":"NaN"}`,
  `{"user_id":"a","timestamp":"Infinity"}`,
  `{"user_id":"a",${timestamp},"locale":7}`,
  `{"user_id":"a",${timestamp},"app_version":[]}`,
  `{"user_id":"a",${timestamp}`,
  `{"user_id":"a",${timestamp}}}`,
  `{"user_id":"a",${timestamp},}`,
  `{'user_id':'a',${timestamp}}`,
  `{"user_id":"a\u0000",${timestamp},"locale":"${'é'.repeat(129)}"}`,
  '{}',
  'null',
  '[]',
  '0',
  '"',
] as const

/** As large as it can be, with its header; by turns noise, JSON, and nesting without end. Its letter must be cut. */
function large(random: Xoshiro128, number: number): Buffer {
  const size = maxMessageBytes - 150
  const turn = (number / largeEvery) % 4
  if (turn === 0) return Buffer.alloc(size, 0xfe)
  if (turn === 1) return Buffer.alloc(size, '{"a":')
  const filler = 'x'.repeat(size - 100)
  if (turn === 2) return Buffer.from(`{"user_id":"a",${timestamp},"locale":"${filler}"}`)
  return Buffer.from(`{"user_id":"","filler":"${filler.slice(random.below(500_000))}"}`)
}
