/** Record values that are no valid logins, one kind for each way to be wrong. */
import type { Xoshiro128 } from './xoshiro128.ts'

const YEAR_SECONDS = 31_536_000

/** A value that no setting makes valid; null is a null value. `good` is a valid login and `seconds` its timestamp. */
export function invalidLogin(random: Xoshiro128, good: string, seconds: number): Buffer | null {
  const kind = random.pick(kinds)
  const value = kind(random, good, seconds)
  return typeof value === 'string' ? Buffer.from(value) : value
}

/** Like `good`, but with one member instead of those of the same name. */
function withMember(good: string, name: string, json: string): string {
  return `${good.slice(0, -1)},"${name}":${json}}`
}

type Kind = (random: Xoshiro128, good: string, seconds: number) => string | Buffer | null

const kinds: readonly [Kind, ...Kind[]] = [
  () => null,
  () => '',
  (random, good) => good.slice(0, random.below(good.length)),
  (random) => noise(random),
  (_, good) => `[${good}]`,
  (_, good) => good.replaceAll('"', "'"),
  (random) => JSON.stringify(random.uint32()),
  (_, good) => `\ufeff${good}`,
  (_, good) =>
    Buffer.concat([Buffer.from(`${good.slice(0, -1)},"city":"`), Buffer.of(0xff), Buffer.from('"}')]),
  (_, good) => good.replace('"user_id"', '"user"'),
  (_, good) => withMember(good, 'user_id', '""'),
  (_, good) => withMember(good, 'user_id', 'null'),
  (random, good) => withMember(good, 'user_id', String(random.uint32())),
  (_, good) => good.replace('"timestamp"', '"time"'),
  (_, good) => withMember(good, 'timestamp', '""'),
  (_, good) => withMember(good, 'timestamp', '"yesterday"'),
  (_, good) => withMember(good, 'timestamp', '"0x65000000"'),
  (_, good) => withMember(good, 'timestamp', '{}'),
  (_, good) => withMember(good, 'timestamp', '1e999'),
  (_, good) => withMember(good, 'timestamp', '"1"'),
  (_, good) => withMember(good, 'timestamp', '-86400'),
  (random, good, seconds) =>
    withMember(good, 'timestamp', `"${seconds + YEAR_SECONDS * (1 + random.below(9))}"`),
  (_, good, seconds) => withMember(good, 'timestamp', `"${seconds * 1_000}"`),
  (random, good) => withMember(good, 'locale', String(random.below(1_000))),
  (_, good) => withMember(good, 'device_type', '["android"]'),
  (random, good) => withMember(good, 'app_version', `"${'9'.repeat(257 + random.below(1_000))}"`),
]

function noise(random: Xoshiro128): Buffer {
  const bytes = Buffer.alloc(1 + random.below(300))
  for (let index = 0; index < bytes.length; index++) bytes[index] = random.below(256)
  // No JSON object starts so; else one run in very many would make a single valid value.
  bytes[0] = 0xfe
  return bytes
}
