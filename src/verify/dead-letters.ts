/** The dead letters against the invalid records of the input: each once, with its bytes unchanged. */
import { createHash } from 'node:crypto'
import type { KafkaRecord } from './record-batch.ts'
import type { Difference } from './report.ts'

interface DeadLetter {
  readonly digest: string
  readonly partition: number
  readonly isCut: boolean
  times: number
}

export class DeadLetters {
  expected = 0
  found = 0
  readonly differences: Difference[] = []
  /** By place in the input, `<partition>:<offset>`. What is left at the end has no invalid record. */
  readonly #letters = new Map<string, DeadLetter>()
  readonly #inputTopic: string
  readonly #starts: readonly number[]
  readonly #ends: readonly number[]

  /**
   * Only records of the input from `starts` on and below `ends`, by partition, are looked at: what is before is gone, and what
   * is beyond the committed offsets may still change.
   */
  constructor(inputTopic: string, starts: readonly number[], ends: readonly number[]) {
    this.#inputTopic = inputTopic
    this.#starts = starts
    this.#ends = ends
  }

  /** A record of the dead-letter topic. */
  add(record: KafkaRecord, partition: number): void {
    const header = (name: string): string | undefined =>
      record.headers.findLast(([found]) => found === name)?.[1]?.toString()
    const source = Number(header('source.partition'))
    const offset = Number(header('source.offset'))
    if (header('source.topic') !== this.#inputTopic || !this.#isInRange(source, offset)) return
    this.found++
    const place = `${source}:${offset}`
    const known = this.#letters.get(place)
    if (known !== undefined) known.times++
    else {
      const isCut = header('error.truncated') !== undefined
      this.#letters.set(place, { digest: digestOf(record), partition, isCut, times: 1 })
    }
  }

  /** An invalid record of the input. All dead letters must have been added before. */
  addInvalid(record: KafkaRecord, partition: number): void {
    if (!this.#isInRange(partition, record.offset)) return
    this.expected++
    const key = `${partition}:${record.offset}`
    const letter = this.#letters.get(key)
    this.#letters.delete(key)
    if (letter?.times !== 1) this.#differ('times', key, partition, 1, letter?.times ?? 0)
    if (letter === undefined) return
    if (letter.partition !== partition) this.#differ('partition', key, partition, partition, letter.partition)
    if (!letter.isCut && letter.digest !== digestOf(record))
      this.#differ('bytes', key, partition, digestOf(record), letter.digest)
  }

  /** To be called when the whole input has been read: no letter may be left over. */
  finish(): void {
    for (const [key, { times, partition }] of this.#letters) this.#differ('times', key, partition, 0, times)
  }

  #isInRange(partition: number, offset: number): boolean {
    return offset >= (this.#starts[partition] ?? 0) && offset < (this.#ends[partition] ?? 0)
  }

  #differ(
    what: string,
    key: string,
    partition: number,
    expected: number | string,
    found: number | string,
  ): void {
    this.differences.push({ where: 'dead letters', what, key, partition, expected, found })
  }
}

function digestOf({ key, value }: KafkaRecord): string {
  const hash = createHash('sha256')
  for (const bytes of [key, value]) hash.update(`${bytes?.length ?? null} `).update(bytes ?? '')
  return hash.digest('base64url').slice(0, 22)
}
