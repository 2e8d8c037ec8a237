/**
 * What stands for the `ip` of a login in its enriched record. Each way takes the text of the member, and null where the member is no
 * string (then nobody knows what it holds):
 *
 *   truncate  the network: of IPv4 the last number is 0 (`199.172.111.0`), of IPv6 all behind the first 48 bits (`2001:db8:85a3::`),
 *             in the shortest form of RFC 5952; an IPv4 address inside IPv6 (`::ffff:199.172.111.135`) as IPv4, and that in a 6to4
 *             address (`2002:c7ac:6f87::`) without its last number. `unknown` for what is no address.
 *   hmac      a pseudonym: 32 hex digits, the first half of HMAC-SHA-256 of the text under a secret key, whatever the text is. The same
 *             text under the same key gives the same pseudonym; without the key neither can be found from the other. `unknown` for what
 *             is no text.
 *
 * An empty text stays empty.
 */
import { createHmac } from 'node:crypto'
import { isIPv4, isIPv6 } from 'node:net'

/** Gives ASCII that needs no escapes in JSON. */
export type IpMask = (text: string | null) => string

export type EnrichedIp =
  | { readonly mode: 'keep' | 'truncate' }
  | { readonly mode: 'hmac'; readonly key: string }

const unknown = 'unknown'
const sixToFour = 0x2002
const pseudonymDigits = 32

/** Null: the addresses stay as they are. */
export function ipMaskOf(enrichedIp: EnrichedIp): IpMask | null {
  switch (enrichedIp.mode) {
    case 'keep':
      return null
    case 'truncate':
      return truncated
    case 'hmac': {
      const { key } = enrichedIp
      return (text) => pseudonym(text, key)
    }
  }
}

function pseudonym(text: string | null, key: string): string {
  if (text === null) return unknown
  if (text === '') return text
  return createHmac('sha256', key).update(text).digest('hex').slice(0, pseudonymDigits)
}

function truncated(text: string | null): string {
  if (text === '') return text
  if (text === null) return unknown
  if (isIPv4(text)) return text.replace(/\d+$/, '0')
  return isIPv6(text) ? networkOf(groupsOf(text)) : unknown
}

/** The eight 16-bit groups of a valid IPv6 address. */
function groupsOf(text: string): number[] {
  const [address = ''] = text.split('%')
  const [head = '', tail] = withoutDots(address).split('::')
  const first = numbersOf(head)
  const last = numbersOf(tail ?? '')
  return [...first, ...zeros(8 - first.length - last.length), ...last]
}

/** An IPv4 address at the end, as two groups. */
function withoutDots(address: string): string {
  return address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_all, ...bytes) => {
    const [a = 0, b = 0, c = 0, d = 0] = bytes.slice(0, 4).map(Number)
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
  })
}

function zeros(count: number): number[] {
  return Array.from({ length: count }, () => 0)
}

function numbersOf(groups: string): number[] {
  return groups === '' ? [] : groups.split(':').map((group) => Number.parseInt(group, 16))
}

function networkOf(groups: readonly number[]): string {
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff
  if (isMapped) {
    const [high = 0, low = 0] = groups.slice(6)
    return `${high >> 8}.${high & 0xff}.${low >> 8}.0`
  }
  // 6to4: the IPv4 address stands in the second and third group.
  if (groups[0] === sixToFour)
    return `${sixToFour.toString(16)}:${hex(groups[1])}:${hex((groups[2] ?? 0) & 0xff00)}::`
  const network = groups.slice(0, 3)
  while (network.at(-1) === 0) network.pop()
  return `${network.map((group) => group.toString(16)).join(':')}::`
}

function hex(group: number | undefined): string {
  return (group ?? 0).toString(16)
}
