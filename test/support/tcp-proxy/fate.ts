import type { Xoshiro128 } from '../../../src/login-stats/generator/xoshiro128.ts'
import type { Direction, Frame, ProxiedApi } from './frames.ts'

/** Which bytes of a half-open connection vanish. */
export type Silence = 'requests' | 'answers' | 'both'

/** What becomes of a frame. `share`: the part of its bytes that still arrives, 0 to 1. */
export type Fate =
  | { readonly kind: 'deliver'; readonly delayMs: number }
  /** Byte by byte at first, then cut anywhere. */
  | { readonly kind: 'trickle'; readonly delayMs: number }
  /** The connection stays; of an answer: the broker has done what was asked. */
  | { readonly kind: 'lose' }
  /** A request that its sender gives up, and that reaches the broker by itself some time later. */
  | { readonly kind: 'late'; readonly afterMs: number }
  /** RST to both sides. */
  | { readonly kind: 'reset'; readonly share: number }
  /** From here on bytes vanish while the connection stays up: until a reset, or for ever. */
  | {
      readonly kind: 'half-open'
      readonly share: number
      readonly silence: Silence
      readonly resetAfterMs: number | null
    }

interface Strike {
  readonly api: ProxiedApi | 'any'
  readonly direction: Direction
  readonly fate: Fate
}

/** The fates of all frames of a proxy: a weather that lasts, and strikes that each meet one frame. */
export class FatePlan {
  /** Each frame takes as long as drawn from here, each way. */
  latencyMs: readonly [low: number, high: number] = [0, 0]
  /** Of all frames. */
  trickleShare = 0
  /** The strikes that have met their frame, by kind, direction and api. */
  readonly struck = new Map<string, number>()
  readonly #random: Xoshiro128
  #strikes: Strike[] = []

  constructor(random: Xoshiro128) {
    this.#random = random
  }

  /** The next such frame shall have this fate. */
  strike(api: ProxiedApi | 'any', direction: Direction, fate: Fate): void {
    this.#strikes.push({ api, direction, fate })
  }

  /** Whether a strike still waits for a frame of this api. */
  isPending(api: ProxiedApi): boolean {
    return this.#strikes.some((strike) => strike.api === api)
  }

  /** Good weather from here on. */
  calm(): void {
    this.#strikes = []
    this.latencyMs = [0, 0]
    this.trickleShare = 0
  }

  fateOf(frame: Frame): Fate {
    const strike = this.#strikes.find(
      ({ api, direction }) => direction === frame.direction && (api === 'any' || api === frame.api),
    )
    if (strike !== undefined) {
      this.#strikes = this.#strikes.filter((other) => other !== strike)
      const name = `${strike.fate.kind} ${frame.direction} ${frame.api}`
      this.struck.set(name, (this.struck.get(name) ?? 0) + 1)
      return strike.fate
    }
    const [low, high] = this.latencyMs
    const delayMs = high === 0 ? 0 : low + (high - low) * this.#random.next()
    const isTrickle = this.trickleShare > 0 && this.#random.chance(this.trickleShare)
    return { kind: isTrickle ? 'trickle' : 'deliver', delayMs }
  }

  get struckCount(): number {
    return [...this.struck.values()].reduce((sum, count) => sum + count, 0)
  }
}
