import type { Dimension } from './login.ts'

/** The dimension and the value that a key of the table stands for; null for a key that no login has. */
export function readRowKey(
  key: string,
  dimensions: readonly Dimension[],
): { readonly dimension: string; readonly value: string } | null {
  if (key === 'total') return { dimension: 'total', value: 'total' }
  for (const { name } of dimensions)
    if (key.startsWith(`${name}:`)) {
      const values = key.slice(name.length + 1).split('+')
      return { dimension: name, value: values.map(decode).join('+') }
    }
  return null
}

function decode(value: string): string {
  return value.replaceAll('%2B', '+').replaceAll('%3A', ':').replaceAll('%25', '%')
}
