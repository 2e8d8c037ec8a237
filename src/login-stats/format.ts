/** Numbers and counts in sentences and tables for people, in English. */

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })

/** Such as "1,234". */
export function number(value: number): string {
  return whole.format(value)
}

/** Such as "1 record" and "1,234 records"; `many` where that is not the word with an "s". */
export function counted(value: number, one: string, many: string = `${one}s`): string {
  return `${number(value)} ${value === 1 ? one : many}`
}
