import type { Xoshiro128 } from '../../src/login-stats/generator/xoshiro128.ts'

/** A number in [low, high), each as likely. */
export function between(random: Xoshiro128, low: number, high: number): number {
  return low + (high - low) * random.next()
}
