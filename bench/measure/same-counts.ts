/** Differences that are shown of two tables. */
const mostShown = 5

/** Which keys two systems have counted differently, in a sentence; null where none. */
export function differenceOf(
  first: { readonly name: string; readonly counts: ReadonlyMap<string, number> },
  second: { readonly name: string; readonly counts: ReadonlyMap<string, number> },
): string | null {
  const keys = new Set([...first.counts.keys(), ...second.counts.keys()])
  const different = [...keys].filter((key) => first.counts.get(key) !== second.counts.get(key))
  if (different.length === 0) return null
  const shown = different
    .slice(0, mostShown)
    .map(
      (key) => `${key} is ${first.counts.get(key) ?? 'missing'} and ${second.counts.get(key) ?? 'missing'}`,
    )
  return `${first.name} and ${second.name} differ in ${different.length} of ${keys.size} keys: ${shown.join(', ')}`
}
