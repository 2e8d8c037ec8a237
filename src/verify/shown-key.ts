import { createHash } from 'node:crypto'
import type { Dimension } from './login.ts'
import type { Difference } from './report.ts'
import { readRowKey } from './row-key.ts'

/**
 * A difference as it may be told. A key that no login has is of somebody else's record, which may be personal: its hash stands for it, and
 * `records` says where it is.
 */
export function asShown(difference: Difference, dimensions: readonly Dimension[]): Difference {
  const { where, key } = difference
  if ((where !== 'changelog' && where !== 'table') || readRowKey(key, dimensions) !== null) return difference
  const hash = createHash('sha256').update(key).digest('hex').slice(0, 16)
  return { ...difference, key: `foreign key, sha256 ${hash}` }
}
