/** Randomness, as the engine sees it; the simulator gives a seeded one. */
export interface Random {
  /** A number in [0, 1). */
  next(): number
  /** A new identifier of 22 or more URL-safe characters. */
  id(): string
}
