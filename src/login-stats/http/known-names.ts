/** Dimensions and windows that are asked for by name: one that there is not is refused, before anybody looks at rows for it. */
import { TOTAL_KEY } from '../domain/dimensions.ts'
import type { LoginStatsTable } from '../table/index.ts'
import { BadRequest } from './error-answers.ts'

/** What this instance counts by. The table may have more, which it was counted by before. */
export interface CountedNames {
  readonly dimensions: readonly string[]
  readonly windows: readonly string[]
}

export interface AskedNames {
  readonly dimension?: string | undefined
  readonly window?: string | undefined
}

/**
 * The same names, as the table has them. Throws BadRequest where the table has rows, and none of such a name; of a table that is empty,
 * or not read to its end, nobody knows.
 */
export async function knownNames(
  table: LoginStatsTable,
  counted: CountedNames,
  { dimension, window }: AskedNames,
): Promise<AskedNames> {
  const isKnown = table.isComplete && table.size > 0
  const dimensions = new Set([...counted.dimensions, ...table.keyCounts.keys()])
  const asked = dimension === undefined ? undefined : meant(dimension, dimensions)
  if (!isKnown) return { dimension: asked, window }
  if (asked !== undefined && !dimensions.has(asked)) throw unknown('dimension', asked, dimensions)
  if (window !== undefined && !counted.windows.includes(window)) {
    const total = await table.get(TOTAL_KEY)
    const windows = new Set([...counted.windows, ...Object.keys(total?.rolling ?? {})])
    if (!windows.has(window)) throw unknown('window', window, windows)
  }
  return { dimension: asked, window }
}

/** In a query `+` stands for a space, unless it is encoded; few who write locale+device_type there know. */
function meant(asked: string, known: ReadonlySet<string>): string {
  if (known.has(asked)) return asked
  const withSpaces = (name: string): string => name.replaceAll('+', ' ')
  const found = [...known].find((name) => withSpaces(name) === withSpaces(asked))
  return found ?? asked.replaceAll(' ', '+')
}

function unknown(what: 'dimension' | 'window', asked: string, known: ReadonlySet<string>): BadRequest {
  const names = known.size === 0 ? 'none' : [...known].join(', ')
  const shown = asked.length > 64 ? `${asked.slice(0, 64)}…` : asked
  return new BadRequest(`The table has no ${what} ${JSON.stringify(shown)}. It has: ${names}.`)
}
