/** Readers of option values; commander prints their message beside the option's name. */
import { InvalidArgumentError } from 'commander'

export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = Number(text)
    if (!/^\d+$/.test(text) || number < min || number > max)
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`)
    return number
  }
}

/** Such as `0.5`. */
export function decimal(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = Number(text)
    if (!/^\d+(?:\.\d+)?$/.test(text) || number < min || number > max)
      throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`)
    return number
  }
}

/** A share from 0 to 1, or as a percentage such as `2%`. */
export function share(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(%?)$/.exec(text)
  const number = Number(match?.[1]) / (match?.[2] === '%' ? 100 : 1)
  if (!(number >= 0 && number <= 1)) throw new InvalidArgumentError('It must be from 0 to 1, or like 2%.')
  return number
}

const unitsInMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** A moment: a date such as `2026-11-21T10:00:00Z`, or how long ago, such as `2h`. In ms since the epoch; `now` is asked if need be. */
export function moment(now: () => number): (text: string) => number {
  return (text) => {
    const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? []
    if (unit !== undefined) return now() - Number(count) * unitsInMs[unit as keyof typeof unitsInMs]
    const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
    if (Number.isNaN(time))
      throw new InvalidArgumentError(
        'It must be a date like 2026-11-21T10:00:00Z, or how long ago, like 30m, 2h or 7d.',
      )
    return time
  }
}
