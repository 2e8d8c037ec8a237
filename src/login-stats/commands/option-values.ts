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

/** A share from 0 to 1, or as a percentage such as `2%`. */
export function share(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(%?)$/.exec(text)
  const number = Number(match?.[1]) / (match?.[2] === '%' ? 100 : 1)
  if (!(number >= 0 && number <= 1)) throw new InvalidArgumentError('It must be from 0 to 1, or like 2%.')
  return number
}
