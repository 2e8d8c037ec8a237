import { expect, test } from 'vitest'
import { parseDimensions } from '../../../../src/login-stats/domain/dimensions.ts'
import { LoginFold } from '../../../../src/login-stats/domain/login-fold.ts'
import { LoginParser } from '../../../../src/login-stats/domain/login-parser.ts'
import { parseWindows } from '../../../../src/login-stats/domain/windows.ts'

const time = 1_695_000_000

/** Counts logins of these users and drains; gives the counts by key, and the keys as they were given. */
function counting(dimensions: string) {
  const parsed = parseDimensions(dimensions)
  const fold = new LoginFold({ dimensions: parsed, windows: parseWindows('1m', 60) })
  const parser = new LoginParser({ dimensions: parsed, maxClockSkewMs: 60_000 })
  return (logins: readonly Record<string, string>[]): { keys: Buffer[]; counts: number[] } => {
    let refused = 0
    for (const login of logins) {
      const bytes = Buffer.from(JSON.stringify({ user_id: 'somebody', ...login, timestamp: String(time) }))
      if (parser.parse(bytes, 0, bytes.length, time * 1000) === null) fold.add(parser)
      else refused += 1
    }
    expect(refused).toBe(0)
    const keys: Buffer[] = []
    const counts: number[] = []
    fold.drain((key, delta) => {
      keys.push(key)
      counts.push(delta.count)
    })
    return { keys, counts }
  }
}

const users = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, n) => ({ user_id: `user-${from + n}` }))

const named = ({ keys, counts }: { keys: Buffer[]; counts: number[] }) =>
  new Map(keys.map((key, at) => [key.toString(), counts[at]]))

test('a fold counts more keys than it keeps, and keys that it has given stay as they were', () => {
  const count = counting('user_id')
  // More than are kept between drains, and than fit into many chunks; each comes twice.
  const first = count([...users(0, 70_000), ...users(0, 70_000)])
  const second = count(users(60_000, 90_000))
  const third = count(users(80_000, 80_010))
  const expected = (from: number, to: number, each: number) =>
    new Map([
      ['total', (to - from) * each],
      ...users(from, to).map(({ user_id }) => [`user_id:${user_id}`, each] as const),
    ])
  expect(named(first)).toEqual(expected(0, 70_000, 2))
  expect(named(second)).toEqual(expected(60_000, 90_000, 1))
  expect(named(third)).toEqual(expected(80_000, 80_010, 1))
})

test('values that run together, or that a key has in another form, are told apart', () => {
  const logins = [
    { locale: 'a', device_type: 'bc' },
    { locale: 'ab', device_type: 'c' },
    { locale: 'a+b', device_type: 'c' },
    { locale: '', device_type: 'abc' },
    { locale: 'é', device_type: '%' },
    { locale: 'a:', device_type: 'b' },
  ]
  const count = counting('locale+device_type')
  const found = named(count([...logins, ...logins]))
  const keys = ['a+bc', 'ab+c', 'a%2Bb+c', 'unknown+abc', 'é+%25', 'a%3A+b']
  expect(found).toEqual(
    new Map([['total', 12], ...keys.map((key) => [`locale+device_type:${key}`, 2] as const)]),
  )
})
