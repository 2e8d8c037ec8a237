/**
 * The users whose logins are generated: each has an id, a device and a locale of its own. Locales (countries and states) and versions
 * follow Zipf's law: the n-th is n times rarer than the first. A skew other than 1 is a power of that: with 0 all are alike, with 2 the n-th
 * is n² times rarer.
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

const deviceTypes = ['android', 'iOS', 'web', 'tablet']
const deviceWeights = [3, 2, 1, 1]

/** Values by chance, each as often as its weight to the power of the skew says. */
export class SkewedChoice {
  readonly #values: readonly string[]
  /** Of each value and those before it. */
  readonly #sums: Float64Array

  constructor(values: readonly string[], weights: readonly number[], skew: number) {
    this.#values = values
    this.#sums = new Float64Array(values.length)
    let sum = 0
    for (const index of values.keys()) {
      sum += (weights[index] ?? 0) ** skew
      this.#sums[index] = sum
    }
  }

  next(random: Xoshiro128): string {
    const at = random.next() * (this.#sums.at(-1) ?? 0)
    return this.#values[this.#sums.findIndex((sum) => at < sum)] ?? ''
  }
}

function zipf(values: readonly string[], skew: number): SkewedChoice {
  return new SkewedChoice(
    values,
    values.map((_, index) => 1 / (index + 1)),
    skew,
  )
}

export function versionChoice(skew: number): SkewedChoice {
  return zipf(versions, skew)
}

/** `count` users, the same for the same state of `random`. */
export function population(random: Xoshiro128, count: number, skew: number): readonly User[] {
  const locale = zipf(locales, skew)
  const deviceType = new SkewedChoice(deviceTypes, deviceWeights, skew)
  return Array.from({ length: count }, () => ({
    userId: randomUuid(random),
    deviceType: deviceType.next(random),
    deviceId: `${digits(random, 3)}-${digits(random, 2)}-${digits(random, 4)}`,
    locale: locale.next(random),
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
