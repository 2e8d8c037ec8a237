import { randomBytes } from 'node:crypto'
import type { Random } from '../ports/random.ts'

/** Sixteen random bytes are 22 characters of base64url: as unique as a UUID. */
const idBytes = 16

export const systemRandom: Random = {
  next: () => Math.random(),
  id: () => randomBytes(idBytes).toString('base64url'),
}
