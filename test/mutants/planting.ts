/** How a mutant changes the text of a source file. */
import { join } from 'node:path'

/** One faulty place of a program: a text of a source file, and what stands in its place. */
export interface Edit {
  /** From the root of the project. */
  readonly file: string
  /** Stands in the file exactly once. */
  readonly original: string
  readonly mutated: string
}

export interface Planted {
  readonly name: string
  readonly edits: readonly Edit[]
}

const root = join(import.meta.dirname, '../..')

export function pathOf(file: string): string {
  return join(root, file)
}

/** The text of `file` with the mutant in it. Throws where an original is not there exactly once. */
export function mutated({ name, edits }: Planted, file: string, text: string): string {
  let result = text
  for (const edit of edits) {
    if (edit.file !== file) continue
    const times = result.split(edit.original).length - 1
    if (times !== 1) {
      throw new Error(`The mutant ${name} does not fit ${file}: its text stands there ${times} times.`)
    }
    result = result.replace(edit.original, () => edit.mutated)
  }
  return result
}
