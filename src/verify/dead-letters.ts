/**
 * The dead letters against the invalid records of the input: each once, with its key, value and headers unchanged, in the partition of the
 * record. Behind the record's own headers stand six of the processor: why, where the record stood, and its time. Why is not judged again:
 * that there is a reason must do. A processor writes them in the order of the input, so they can be merged with it, and none needs to be kept:
 *
 *  1. survey: all letters are read once, only to find those that are out of order (a second run, another partition, a
 *     foreign writer); these alone are kept, by the place in the input that they name;
 *  2. merge: letters are read again, partition by partition, next to the input; those in order wait no longer than until
 *     the input has passed their place;
 *  3. what is left has no invalid record.
 */
import { createHash } from 'node:crypto'
import type { Differences } from './differences.ts'
import type { KafkaRecord } from './record-batch.ts'
import type { Place } from './report.ts'

interface DeadLetter {
  /** The place in the input that it names. */
  readonly source: Place
  /** Of key and value. */
  readonly digest: string
  readonly headers: string
  readonly isCut: boolean
  /** The letter's own place. */
  readonly place: Place
}

export interface DeadLetterOptions {
  readonly inputTopic: string
  /**
   * Only records of the input from `starts` on and below `ends`, by partition, are looked at: what is before is gone, and what
   * is beyond the committed offsets may still change.
   */
  readonly starts: readonly number[]
  readonly ends: readonly number[]
  readonly differences: Differences
  /** Letters out of order that are kept; those beyond are only counted. */
  readonly mostStrays?: number
}

export class DeadLetters {
  expected = 0
  found = 0
  /** Letters out of order that were too many to be looked at one by one. */
  untold = 0
  readonly #options: DeadLetterOptions
  readonly #order: Order[] = [new Order(), new Order()]
  /** Letters out of order, by `<partition>:<offset>` of the place they name. */
  readonly #strays = new Map<string, DeadLetter[]>()
  #strayCount = 0
  /** Letters in order that the input has not passed yet, by partition. */
  readonly #waiting = new Map<number, DeadLetter[]>()

  constructor(options: DeadLetterOptions) {
    this.#options = options
  }

  /** 1. A record of the dead-letter topic. */
  survey(record: KafkaRecord, partition: number): void {
    const source = this.#sourceOf(record)
    if (source === null) return
    this.found++
    if (this.#isInOrder(0, source, partition)) return
    if (++this.#strayCount > (this.#options.mostStrays ?? 100_000)) {
      this.untold++
      return
    }
    const name = nameOf(source)
    const letters = this.#strays.get(name) ?? []
    this.#strays.set(name, letters)
    letters.push(letterOf(record, partition, source))
  }

  /** 2. The same records again, in the same order. */
  merge(record: KafkaRecord, partition: number): void {
    const source = this.#sourceOf(record)
    if (source === null || !this.#isInOrder(1, source, partition)) return
    const waiting = this.#waiting.get(partition) ?? []
    this.#waiting.set(partition, waiting)
    waiting.push(letterOf(record, partition, source))
  }

  /** Whether letters have been merged beyond an offset of the input, so that it can be passed. */
  isMergedBeyond(partition: number, offset: number): boolean {
    return (this.#waiting.get(partition)?.at(-1)?.source.offset ?? -1) > offset
  }

  /** 2. An invalid record of the input. The letters up to its place must have been merged before. */
  addInvalid(record: KafkaRecord, partition: number): void {
    const source = { partition, offset: record.offset }
    if (!this.#isInRange(source)) return
    this.expected++
    const waiting = this.#waiting.get(partition) ?? []
    this.#pass(waiting, record.offset)
    const strays = this.#takeStrays(source)
    const letters =
      waiting[0]?.source.offset === record.offset ? [...waiting.splice(0, 1), ...strays] : strays
    const [letter] = letters
    if (letters.length !== 1) this.#differ('times', source, letters, 1, letters.length)
    if (letter === undefined) return
    if (letter.place.partition !== partition)
      this.#differ('partition', source, [letter], partition, letter.place.partition)
    if (letter.isCut) return
    const [digest, headers] = [digestOf(record), headersDigest(record.headers, String(heldTime(record)))]
    if (letter.digest !== digest) this.#differ('bytes', source, [letter], digest, letter.digest)
    if (letter.headers !== headers) this.#differ('headers', source, [letter], headers, letter.headers)
  }

  /** 3. To be called when the whole input has been read: no letter may be left over. */
  finish(): void {
    for (const waiting of this.#waiting.values()) this.#pass(waiting, Number.POSITIVE_INFINITY)
    for (const letters of this.#strays.values()) this.#differAsLeftOver(letters)
    this.#strays.clear()
    this.#options.differences.addUntold({ where: 'dead letters', what: 'order' }, this.untold)
  }

  /** Letters for places below an offset are left over: no invalid record was there. */
  #pass(waiting: DeadLetter[], offset: number): void {
    let passed = 0
    while ((waiting[passed]?.source.offset ?? Number.POSITIVE_INFINITY) < offset) passed++
    for (const letter of waiting.splice(0, passed))
      this.#differAsLeftOver([letter, ...this.#takeStrays(letter.source)])
  }

  #differAsLeftOver(letters: readonly DeadLetter[]): void {
    const source = letters[0]?.source
    if (source !== undefined) this.#differ('times', source, letters, 0, letters.length)
  }

  #takeStrays(source: Place): readonly DeadLetter[] {
    if (this.#strays.size === 0) return []
    const name = nameOf(source)
    const letters = this.#strays.get(name) ?? []
    this.#strays.delete(name)
    return letters
  }

  #isInOrder(reading: 0 | 1, source: Place, partition: number): boolean {
    return source.partition === partition && this.#order[reading]?.isNext(source) === true
  }

  /** The place in the input that a letter names; null where it is none to be looked at. */
  #sourceOf(record: KafkaRecord): Place | null {
    if (headerOf(record, 'source.topic') !== this.#options.inputTopic) return null
    const source = {
      partition: Number(headerOf(record, 'source.partition')),
      offset: Number(headerOf(record, 'source.offset')),
    }
    return this.#isInRange(source) ? source : null
  }

  #isInRange({ partition, offset }: Place): boolean {
    const { starts, ends } = this.#options
    return offset >= (starts[partition] ?? 0) && offset < (ends[partition] ?? 0)
  }

  #differ(
    what: string,
    source: Place,
    letters: readonly DeadLetter[],
    expected: number | string,
    found: number | string,
  ): void {
    const records = letters.map(({ place }) => place)
    const { partition } = source
    this.#options.differences.add({
      ...{ where: 'dead letters', what, key: nameOf(source), partition, expected, found, records },
    })
  }
}

/** Knows for each partition how far the letters in order have come. */
class Order {
  readonly #last = new Map<number, number>()

  isNext({ partition, offset }: Place): boolean {
    if (offset <= (this.#last.get(partition) ?? -1)) return false
    this.#last.set(partition, offset)
    return true
  }
}

function letterOf(record: KafkaRecord, partition: number, source: Place): DeadLetter {
  return {
    source,
    digest: digestOf(record),
    headers: letterHeaders(record),
    isCut: headerOf(record, 'error.truncated') !== undefined,
    place: { partition, offset: record.offset },
  }
}

/** The processor's own headers come last, whatever the record had. */
function headerOf(record: KafkaRecord, name: string): string | undefined {
  return record.headers.findLast(([found]) => found === name)?.[1]?.toString()
}

function nameOf({ partition, offset }: Place): string {
  return `${partition}:${offset}`
}

/** In the order in which the processor appends them. */
const addedNames = [
  'error',
  'error.message',
  'source.topic',
  'source.partition',
  'source.offset',
  'source.timestamp',
]

/** Of the headers that the record had, and the time that the letter gives it. */
function letterHeaders({ headers }: KafkaRecord): string {
  const added = headers.slice(-addedNames.length)
  const isWhole = addedNames.every((name, index) => added[index]?.[0] === name && added[index][1] !== null)
  if (!isWhole) return `not ${addedNames.join(', ')} at their end`
  if (added[0]?.[1]?.length === 0) return 'no error code'
  return headersDigest(headers.slice(0, -addedNames.length), String(added.at(-1)?.[1]))
}

/** As `source.timestamp` tells it: beyond 2^52 ms around 1970, which the format allows, it is the limit. */
function heldTime({ timestamp }: KafkaRecord): number {
  return Math.max(-(2 ** 52), Math.min(2 ** 52, timestamp))
}

function headersDigest(headers: KafkaRecord['headers'], timestamp: string): string {
  return digestOfAll([timestamp, ...headers.flat()])
}

function digestOf({ key, value }: KafkaRecord): string {
  return digestOfAll([key, value])
}

function digestOfAll(parts: readonly (Buffer | string | null)[]): string {
  const hash = createHash('sha256')
  for (const part of parts)
    hash.update(`${part === null ? null : Buffer.byteLength(part)} `).update(part ?? '')
  return hash.digest('base64url').slice(0, 22)
}
