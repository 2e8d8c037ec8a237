import { systemRandom } from '../system/random.ts'

/** A random identifier that can stand as an argument of a command: one with a leading dash would be taken for an option. */
export function argumentId(next: () => string = systemRandom.id): string {
  for (;;) {
    const id = next()
    if (!id.startsWith('-')) return id
  }
}
