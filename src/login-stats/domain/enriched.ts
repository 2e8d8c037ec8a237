/**
 * The enriched record of a valid login: its object, with three members after its own.
 *
 *     "processed_time"  when this program read it, ISO 8601 in UTC with milliseconds
 *     "login_time"      its timestamp in the same form
 *     "latency_ms"      processed_time - login_time, whole milliseconds; below 0 where the login's clock is ahead
 *
 * Members of these names in the input are left out. All others keep their bytes: order, duplicates, blanks, escapes and
 * numbers beyond a double stay as they came.
 */
import { IsoTime } from './iso-time.ts'
import { eachMember } from './json-scanner.ts'

export const ENRICHED_FIELDS = ['processed_time', 'login_time', 'latency_ms'] as const

const enrichedNames: ReadonlySet<string> = new Set(ENRICHED_FIELDS)

export interface Enrichment {
  readonly eventTimeMs: number
  /** Wall-clock time in ms. */
  readonly processedTimeMs: number
  /** As the parser found it; false promises that none of the three names stands in the object. */
  readonly hasEnrichedFields: boolean
}

export class Enricher {
  #buffer = Buffer.allocUnsafe(1_024)
  #used = 0
  readonly #processedTime = new IsoTime()
  readonly #loginTime = new IsoTime()

  /** The enriched record of the valid login `bytes[start, end)`: a view, good until the next call. */
  enrich(bytes: Buffer, start: number, end: number, enrichment: Enrichment): Buffer {
    this.#reserve(end - start)
    if (enrichment.hasEnrichedFields) this.#copyOtherMembers(bytes, start)
    else this.#copyUpToBrace(bytes, start, end)
    const { processedTimeMs, eventTimeMs } = enrichment
    const added =
      `"processed_time":"${this.#processedTime.of(processedTimeMs)}",` +
      `"login_time":"${this.#loginTime.of(eventTimeMs)}","latency_ms":${processedTimeMs - eventTimeMs}}`
    this.#used += this.#buffer.write(this.#used > 1 ? `,${added}` : added, this.#used, 'latin1')
    return this.#buffer.subarray(0, this.#used)
  }

  /** Room for a login of so many bytes and what is added to it. */
  #reserve(bytes: number): void {
    const needed = bytes + 256
    if (this.#buffer.length < needed) this.#buffer = Buffer.allocUnsafe(needed * 2)
    this.#used = 0
  }

  #copyUpToBrace(bytes: Buffer, start: number, end: number): void {
    let brace = end - 1
    while (brace > start && bytes[brace] !== 0x7d /* } */) brace--
    this.#used = bytes.copy(this.#buffer, 0, start, brace)
  }

  #copyOtherMembers(bytes: Buffer, start: number): void {
    this.#buffer[this.#used++] = 0x7b /* { */
    eachMember(bytes, start, (name, memberStart, memberEnd) => {
      if (enrichedNames.has(name)) return
      if (this.#used > 1) this.#buffer[this.#used++] = 0x2c /* , */
      this.#used += bytes.copy(this.#buffer, this.#used, memberStart, memberEnd)
    })
  }
}
