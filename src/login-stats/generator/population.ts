/**
 * The users whose logins are generated: each has an id, a device and a locale of its own. Locales (countries and states) follow
 * Zipf's law: the n-th is n times rarer than the first.
 */
import type { Xoshiro128 } from './xoshiro128.ts'

export interface User {
  readonly userId: string
  readonly deviceType: string
  readonly deviceId: string
  readonly locale: string
}

const locales =
  'RU US BR IN CN ID NG MX PK JP PH VN TR EG TH GB FR IT KR ZA PL UA AR MA UZ PE MY NP VE AU RO CL NL KZ CZ GR SE HU PT IL AT CH BG FI DK NO IE HR TX NY FL OH NJ WA AZ WI MN OR CT UT IA NV KS NM NH HI WV VT WY'.split(
    ' ',
  )
const versions = '2.3.0 2.2.1 2.1.0 2.0.5 1.9.3 1.8.0'.split(' ')

const deviceTypes: readonly [string, ...string[]] = [
  'android',
  'android',
  'android',
  'iOS',
  'iOS',
  'web',
  'tablet',
]

/** An index below `count`, by Zipf's law with exponent 1. */
export class ZipfIndex {
  readonly #indexes: Uint16Array

  constructor(count: number) {
    const weights = Array.from({ length: count }, (_, index) => 1 / (index + 1))
    const sum = weights.reduce((total, weight) => total + weight, 0)
    const slots = weights.flatMap((weight, index) =>
      new Array<number>(Math.ceil((weight / sum) * 4_096)).fill(index),
    )
    this.#indexes = Uint16Array.from(slots)
  }

  next(random: Xoshiro128): number {
    return this.#indexes[random.below(this.#indexes.length)] ?? 0
  }
}

const localeIndex = new ZipfIndex(locales.length)
const versionIndex = new ZipfIndex(versions.length)

export function randomVersion(random: Xoshiro128): string {
  return versions[versionIndex.next(random)] ?? '2.3.0'
}

/** `count` users, the same for the same state of `random`. */
export function population(random: Xoshiro128, count: number): readonly User[] {
  return Array.from({ length: count }, () => ({
    userId: randomUuid(random),
    deviceType: random.pick(deviceTypes),
    deviceId: `${digits(random, 3)}-${digits(random, 2)}-${digits(random, 4)}`,
    locale: locales[localeIndex.next(random)] ?? 'RU',
  }))
}

function digits(random: Xoshiro128, count: number): string {
  return String(random.below(10 ** count)).padStart(count, '0')
}

/** Version 4 in form; its bits come from the seed. */
function randomUuid(random: Xoshiro128): string {
  const hex = Array.from({ length: 4 }, () => random.uint32().toString(16).padStart(8, '0')).join('')
  const variant = (8 + random.below(4)).toString(16)
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20),
  ].join('-')
}
