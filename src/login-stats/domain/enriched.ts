/**
 * The enriched record of a valid login: its object, with three members after its own.
 *
 *     "processed_time"  when this program read it, ISO 8601 in UTC with milliseconds
 *     "login_time"      its timestamp in the same form
 *     "latency_ms"      processed_time - login_time, whole milliseconds; below 0 where the login's clock is ahead
 *
 * Members of these names in the input are left out. All others keep their bytes: order, duplicates, blanks, escapes and
 * numbers beyond a double stay as they came. Where addresses are masked, of every member `ip` the value alone is another one; null
 * stays null.
 */
import type { IpMask } from './ip-masking.ts'
import { IsoTime } from './iso-time.ts'
import { eachMember, stringAt } from './json-scanner.ts'

export const ENRICHED_FIELDS = ['processed_time', 'login_time', 'latency_ms'] as const

const enrichedNames: ReadonlySet<string> = new Set(ENRICHED_FIELDS)

export interface Enrichment {
  readonly eventTimeMs: number
  /** Wall-clock time in ms. */
  readonly processedTimeMs: number
  /** As the parser found it; false promises that none of the three names stands in the object. */
  readonly hasEnrichedFields: boolean
}

/** Where a member `ip` is masked, it grows to no more times its size: `"ip":1,` to 32 digits in quotes. */
const MASKED_GROWTH = 6

export class Enricher {
  #buffer = Buffer.allocUnsafe(1_024)
  #used = 0
  readonly #maskIp: IpMask | null
  readonly #processedTime = new IsoTime()
  readonly #loginTime = new IsoTime()

  constructor(maskIp: IpMask | null = null) {
    this.#maskIp = maskIp
  }

  /** The enriched record of the valid login `bytes[start, end)`: a view, good until the next call. */
  enrich(bytes: Buffer, start: number, end: number, enrichment: Enrichment): Buffer {
    this.#reserve((end - start) * (this.#maskIp === null ? 1 : MASKED_GROWTH))
    if (enrichment.hasEnrichedFields) this.#copyOtherMembers(bytes, start)
    else if (this.#maskIp !== null) this.#copyMasked(bytes, start, end, this.#maskIp)
    else this.#copyUpToBrace(bytes, start, end)
    const { processedTimeMs, eventTimeMs } = enrichment
    const added =
      `"processed_time":"${this.#processedTime.of(processedTimeMs)}",` +
      `"login_time":"${this.#loginTime.of(eventTimeMs)}","latency_ms":${processedTimeMs - eventTimeMs}}`
    this.#used += this.#buffer.write(this.#used > 1 ? `,${added}` : added, this.#used, 'latin1')
    return this.#buffer.subarray(0, this.#used)
  }

  /** Room for so many bytes and what is added to them. */
  #reserve(bytes: number): void {
    const needed = bytes + 256
    if (this.#buffer.length < needed) this.#buffer = Buffer.allocUnsafe(needed * 2)
    this.#used = 0
  }

  #copyUpToBrace(bytes: Buffer, start: number, end: number): void {
    let brace = end - 1
    while (brace > start && bytes[brace] !== 0x7d /* } */) brace--
    this.#copy(bytes, start, brace)
  }

  #copyMasked(bytes: Buffer, start: number, end: number, maskIp: IpMask): void {
    let copied = start
    eachMember(bytes, start, (name, _memberStart, memberEnd, valueStart) => {
      if (name !== 'ip') return
      this.#copy(bytes, copied, valueStart)
      this.#writeMasked(bytes, valueStart, memberEnd, maskIp)
      copied = memberEnd
    })
    this.#copyUpToBrace(bytes, copied, end)
  }

  #copyOtherMembers(bytes: Buffer, start: number): void {
    const maskIp = this.#maskIp
    this.#buffer[this.#used++] = 0x7b /* { */
    eachMember(bytes, start, (name, memberStart, memberEnd, valueStart) => {
      if (enrichedNames.has(name)) return
      if (this.#used > 1) this.#buffer[this.#used++] = 0x2c /* , */
      if (name === 'ip' && maskIp !== null) {
        this.#copy(bytes, memberStart, valueStart)
        this.#writeMasked(bytes, valueStart, memberEnd, maskIp)
      } else {
        this.#copy(bytes, memberStart, memberEnd)
      }
    })
  }

  #copy(bytes: Buffer, start: number, end: number): void {
    this.#used += bytes.copy(this.#buffer, this.#used, start, end)
  }

  #writeMasked(bytes: Buffer, start: number, end: number, maskIp: IpMask): void {
    const text = bytes[start] === 0x22 /* " */ ? stringAt(bytes, start, end) : null
    // Nothing stands in a null that could be hidden.
    const masked = bytes[start] === 0x6e /* n */ ? 'null' : `"${maskIp(text)}"`
    this.#used += this.#buffer.write(masked, this.#used, 'latin1')
  }
}
