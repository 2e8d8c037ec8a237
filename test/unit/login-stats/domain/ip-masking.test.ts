import { createHmac } from 'node:crypto'
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Enricher } from '../../../../src/login-stats/domain/enriched.ts'
import { ipMaskOf } from '../../../../src/login-stats/domain/ip-masking.ts'

const key = 'a secret of the test'
const truncate = ipMaskOf({ mode: 'truncate' }) ?? expect.fail()
const hmac = ipMaskOf({ mode: 'hmac', key }) ?? expect.fail()

describe('a truncated address', () => {
  it.each([
    ['199.172.111.135', '199.172.111.0'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.0'],
    ['2001:db8:85a3:8d3:1319:8a2e:370:7348', '2001:db8:85a3::'],
    ['2001:DB8:0085:0:0:0:0:1', '2001:db8:85::'],
    ['2001:db8::1', '2001:db8::'],
    ['2002:c7ac:6f87::1', '2002:c7ac:6f00::'],
    ['::1', '::'],
    ['::', '::'],
    ['0:0:1:2:3:4:5:6', '0:0:1::'],
    ['1::', '1::'],
    ['1:2:3:4:5:6:7::', '1:2:3::'],
    ['fe80::1%eth0', 'fe80::'],
    ['::ffff:199.172.111.135', '199.172.111.0'],
    ['::ffff:c7ac:6f87', '199.172.111.0'],
    ['64:ff9b::199.172.111.135', '64:ff9b::'],
    ['', ''],
    ['localhost', 'unknown'],
    ['199.172.111', 'unknown'],
    ['199.172.111.135 ', 'unknown'],
    ['199.172.111.256', 'unknown'],
    ['199.172.111.135:443', 'unknown'],
    ['1:2:3:4:5:6:7:8:9', 'unknown'],
    ['null', 'unknown'],
    [null, 'unknown'],
  ])('of %s is %s', (text, expected) => {
    expect(truncate(text)).toBe(expected)
  })

  it('is the network of the address, and says nothing of the rest of it', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.string(), (address, noise) => {
        const network = truncate(address)
        expect(isIP(network)).not.toBe(0)
        expect(truncate(network)).toBe(network)
        const list = new BlockList()
        const isMapped = isIPv6(address) && isIPv4(network)
        if (isIPv4(network)) list.addSubnet(network, 24, 'ipv4')
        else list.addSubnet(network, 48, 'ipv6')
        if (!isMapped) expect(list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')).toBe(true)
        if (isIP(noise) === 0 && noise !== '') expect(truncate(noise)).toBe('unknown')
      }),
      { numRuns: 2000 },
    )
  })

  it('of two addresses of a network is the same', () => {
    const group = fc.integer({ min: 0, max: 0xffff })
    const rest = fc.array(group, { minLength: 5, maxLength: 5 })
    fc.assert(
      fc.property(
        fc.tuple(group, group, fc.integer({ min: 1, max: 0xffff })),
        rest,
        rest,
        (net, one, other) => {
          const text = (groups: number[]) =>
            [...net, ...groups].map((number) => number.toString(16)).join(':')
          expect(truncate(text(one))).toBe(truncate(text(other)))
        },
      ),
    )
  })
})

describe('a pseudonym', () => {
  it('is the first half of the HMAC-SHA-256 of the text, in hex', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (text) => {
        const whole = createHmac('sha256', key).update(text, 'utf8').digest('hex')
        expect(hmac(text)).toBe(whole.slice(0, 32))
      }),
    )
    // RFC 4231, test case 2.
    const known = ipMaskOf({ mode: 'hmac', key: 'Jefe' })
    expect(known?.('what do ya want for nothing?')).toBe('5bdcc146bf60754e6a042426089575c7')
  })

  it('is another one under another key, and none of what is no text', () => {
    const other = ipMaskOf({ mode: 'hmac', key: `${key}.` })
    expect(other?.('1.2.3.4')).not.toBe(hmac('1.2.3.4'))
    expect(hmac('')).toBe('')
    expect(hmac(null)).toBe('unknown')
  })
})

describe('the enriched record with masked addresses', () => {
  const time = 1_694_479_551_000
  const times = { eventTimeMs: time, processedTimeMs: time + 5 }
  const added =
    '"processed_time":"2023-09-12T00:45:51.005Z","login_time":"2023-09-12T00:45:51.000Z","latency_ms":5}'

  function enrich(text: string, mask: typeof truncate, hasEnrichedFields = false): string {
    const bytes = Buffer.from(`}{${text}"}`)
    const end = bytes.length - 2
    return new Enricher(mask).enrich(bytes, 2, end, { ...times, hasEnrichedFields }).toString()
  }

  it('keeps every byte but those of the value', () => {
    const login =
      '{ "user_id":"\\u0031" ,  "ip" :\t"199.172.111.135" ,"big":12345678901234567890 ,"n" : null }'
    expect(enrich(login, truncate)).toBe(
      `{ "user_id":"\\u0031" ,  "ip" :\t"199.172.111.0" ,"big":12345678901234567890 ,"n" : null ,${added}`,
    )
    const again = login.replace('"n" : null', '"latency_ms":[1,{"ip":"x"}]')
    expect(enrich(again, truncate, true)).toBe(
      `{"user_id":"\\u0031","ip" :\t"199.172.111.0","big":12345678901234567890,${added}`,
    )
  })

  it.each([
    ['"ip":"1.2.3.4","ip":"5.6.7.8"', '"ip":"1.2.3.0","ip":"5.6.7.0"'],
    ['"\\u0069p":"1.2.3.4"', '"\\u0069p":"1.2.3.0"'],
    ['"ip":"1.2\\u002e3.4"', '"ip":"1.2.3.0"'],
    ['"ip":16909060', '"ip":"unknown"'],
    ['"ip":-1.5e3', '"ip":"unknown"'],
    ['"ip":{"v4":"1.2.3.4"}', '"ip":"unknown"'],
    ['"ip":["1.2.3.4"]', '"ip":"unknown"'],
    ['"ip":true', '"ip":"unknown"'],
    ['"ip":null', '"ip":null'],
    ['"ip":""', '"ip":""'],
    ['"IP":"1.2.3.4","a":"1.2.3.4"', '"IP":"1.2.3.4","a":"1.2.3.4"'],
    ['"город":"\\"ip\\":"', '"город":"\\"ip\\":"'],
  ])('has of {%s} the members {%s}', (members, expected) => {
    for (const hasEnrichedFields of [false, true])
      expect(enrich(`{${members}}`, truncate, hasEnrichedFields)).toBe(`{${expected},${added}`)
  })

  it('never shows an address, wherever the members stand and however often', () => {
    const name = fc.oneof(fc.constantFrom('ip', 'user_id', 'latency_ms'), fc.string())
    const object = fc
      .array(fc.tuple(name, fc.jsonValue()), { minLength: 1, maxLength: 8 })
      .map((pairs) => pairs.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`))
    fc.assert(
      fc.property(object, fc.ipV4(), fc.nat(8), (members, address, at) => {
        const text = `{${members.toSpliced(at, 0, `"ip":"${address}"`).join(',')}}`
        const input = JSON.parse(text) as Record<string, unknown>
        for (const mask of [truncate, hmac]) {
          const written = enrich(text, mask, Object.hasOwn(input, 'latency_ms'))
          const output = JSON.parse(written) as Record<string, unknown>
          const { ip } = input
          expect(output.ip).toBe(ip === null ? null : mask(typeof ip === 'string' ? ip : null))
          if (!address.endsWith('.0')) expect(written).not.toContain(`"ip":"${address}"`)
          for (const [member, value] of Object.entries(input))
            if (member !== 'ip' && member !== 'latency_ms') expect(output[member]).toEqual(value)
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('has room for as many addresses as there are', () => {
    const text = `{${Array.from({ length: 20_000 }, () => '"ip":"a"').join(',')}}`
    const written = enrich(text, hmac)
    expect(written.match(new RegExp(`"ip":"${hmac('a')}"`, 'g'))).toHaveLength(20_000)
  })
})
