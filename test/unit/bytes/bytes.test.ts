import { crc32c as nativeCrc32c } from '@node-rs/crc32'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crc32c } from '../../../src/bytes/crc32c.ts'
import { murmur2, partitionFor } from '../../../src/bytes/murmur2.ts'
import { ByteReader, ByteWriter } from '../../../src/bytes/varint.ts'

describe('crc32c', () => {
  test('gives the check value of the standard and the vectors of RFC 3720', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa)
    expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43)
    expect(crc32c(Buffer.from(Array.from({ length: 32 }, (_, n) => n)))).toBe(0x46dd794e)
    expect(crc32c(Buffer.alloc(0))).toBe(0)
  })

  test('sums up pieces to the checksum of the whole', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (head, tail) => {
        expect(crc32c(tail, crc32c(head))).toBe(crc32c(Buffer.concat([head, tail])))
      }),
    )
  })
})

describe('crc32c of a range', () => {
  test('is what native code gives for its bytes, short or long', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 400, size: 'max' })
    fc.assert(
      fc.property(bytes, fc.nat(), fc.nat(), fc.nat(0xffff_ffff), (all, a, b, previous) => {
        const start = Math.min(a % (all.length + 1), b % (all.length + 1))
        const end = Math.max(a % (all.length + 1), b % (all.length + 1))
        expect(crc32c(all, previous, start, end)).toBe(nativeCrc32c(all.subarray(start, end), previous))
      }),
    )
  })
})

describe('murmur2', () => {
  test('gives what Apache Kafka gives', () => {
    const vectors: [string, number][] = [
      ['21', -973932308],
      ['foobar', -790332482],
      ['a-little-bit-long-string', -985981536],
      ['a-little-bit-longer-string', -1486304829],
      ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
      ['abc', 479470107],
    ]
    for (const [text, hash] of vectors) expect(murmur2(Buffer.from(text))).toBe(hash)
  })

  test('gives a partition in range, also where the hash is negative', () => {
    expect(partitionFor(Buffer.from('21'), 7)).toBe((-973932308 & 0x7fffffff) % 7)
    fc.assert(
      fc.property(fc.uint8Array(), fc.integer({ min: 1, max: 1000 }), (key, count) => {
        const partition = partitionFor(key, count)
        expect(partition >= 0 && partition < count).toBe(true)
      }),
    )
  })
})

const item = fc.oneof(
  fc.record({ kind: fc.constant('uvarint' as const), value: fc.maxSafeNat() }),
  fc.record({ kind: fc.constant('varint' as const), value: fc.maxSafeInteger() }),
  fc.record({ kind: fc.constant('string' as const), value: fc.string({ unit: 'binary', maxLength: 80 }) }),
  fc.record({ kind: fc.constant('bytes' as const), value: fc.uint8Array({ maxLength: 100 }) }),
  fc.record({ kind: fc.constant('int32' as const), value: fc.integer() }),
  fc.record({
    kind: fc.constant('int64' as const),
    value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  }),
  fc.record({ kind: fc.constant('double' as const), value: fc.double({ noNaN: true }) }),
)

describe('ByteWriter and ByteReader', () => {
  test('give back whatever was written', () => {
    fc.assert(
      fc.property(fc.array(item), (items) => {
        const writer = new ByteWriter(1)
        for (const { kind, value } of items) {
          if (kind === 'uvarint') writer.writeUVarint(value)
          else if (kind === 'varint') writer.writeVarint(value)
          else if (kind === 'string') writer.writeString(value)
          else if (kind === 'bytes') writer.writeBytes(value)
          else if (kind === 'int32') writer.writeInt32(value)
          else if (kind === 'int64') writer.writeInt64(value)
          else writer.writeDouble(value)
        }
        const reader = new ByteReader(writer.toBuffer())
        for (const { kind, value } of items) {
          if (kind === 'uvarint') expect(reader.readUVarint()).toBe(value)
          else if (kind === 'varint') expect(reader.readVarint()).toBe(value)
          else if (kind === 'string') expect(reader.readString()).toBe(Buffer.from(value).toString())
          else if (kind === 'bytes') expect(reader.readBytes().equals(value)).toBe(true)
          else if (kind === 'int32') expect(reader.readInt32()).toBe(value)
          else if (kind === 'int64') expect(reader.readInt64()).toBe(value)
          else expect(reader.readDouble()).toBe(value)
        }
        reader.expectEnd()
      }),
    )
  })

  test('write varints as Protocol Buffers do', () => {
    const writer = new ByteWriter()
    writer.writeUVarint(300)
    writer.writeVarint(-1)
    writer.writeVarint(64)
    writer.writeVarint(-65)
    expect(writer.view().toString('hex')).toBe('ac0201' + '8001' + '8101')
  })

  test('hold the ends of the range', () => {
    const writer = new ByteWriter()
    const ends = [0, 63, 64, -64, -65, 2 ** 31, -(2 ** 31), Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER]
    for (const end of ends) writer.writeVarint(end)
    writer.writeUVarint(Number.MAX_SAFE_INTEGER)
    const reader = new ByteReader(writer.view())
    for (const end of ends) expect(reader.readVarint()).toBe(end)
    expect(reader.readUVarint()).toBe(Number.MAX_SAFE_INTEGER)
    for (const wrong of [-1, 0.5, 2 ** 53, Number.NaN]) {
      expect(() => writer.writeUVarint(wrong)).toThrow(RangeError)
    }
    expect(() => writer.writeVarint(2 ** 53)).toThrow(RangeError)
  })

  test('never read outside the range, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), fc.nat(5), fc.nat(4), (bytes, cut, method) => {
        const end = Math.max(0, bytes.length - cut)
        const reader = new ByteReader(Buffer.from(bytes), 0, end)
        const read = [
          () => reader.readUVarint(),
          () => reader.readVarint(),
          () => reader.readBytes(),
          () => reader.readString(),
          () => reader.readInt32(),
        ][method]!
        try {
          for (;;) read()
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError)
        }
        expect(reader.position).toBeLessThanOrEqual(end)
      }),
    )
  })

  test('refuse a varint beyond 2^53 and one that never ends', () => {
    const over = new ByteReader(Buffer.from('80808080808080' + '20', 'hex'))
    expect(() => over.readUVarint()).toThrow('beyond 2^53')
    const endless = new ByteReader(Buffer.alloc(40, 0x80))
    expect(() => endless.readVarint()).toThrow('beyond 2^53')
  })
})
