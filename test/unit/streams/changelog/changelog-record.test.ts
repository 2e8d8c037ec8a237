import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RecordView } from '../../../../src/ports/kafka.ts'
import {
  type ChangelogRecord,
  decodeChangelogRecord,
  encodeMeta,
  metaRecordKey,
} from '../../../../src/streams/changelog/changelog-record.ts'
import { StoreKey } from '../../../../src/streams/store/store-key.ts'
import type { CommitMeta } from '../../../../src/streams/store/types.ts'

const place = { topic: 'changelog', partition: 0 }

/** The key and the value stand in the middle of other bytes. */
function record(key: Buffer | null, value: Buffer | null): RecordView {
  const around = Buffer.from('around')
  const bytes = Buffer.concat([around, key ?? Buffer.alloc(0), around, value ?? Buffer.alloc(0), around])
  const keyStart = around.length
  const keyEnd = keyStart + (key?.length ?? 0)
  const valueStart = keyEnd + around.length
  const valueEnd = valueStart + (value?.length ?? 0)
  return {
    offset: 7,
    timestamp: 0,
    bytes,
    keyStart: key === null ? -1 : keyStart,
    keyEnd: key === null ? -1 : keyEnd,
    valueStart: value === null ? -1 : valueStart,
    valueEnd: value === null ? -1 : valueEnd,
    key: () => key,
    value: () => value,
    headers: () => [],
  }
}

const meta: CommitMeta = {
  version: 1,
  fingerprint: { DIMENSIONS: 'locale' },
  topicIds: { logins: 'abc' },
  inputOffsets: { partials: 12 },
  counted: { logins: { 0: 5 } },
  streamTime: null,
}

function keyAndValue(decoded: ChangelogRecord): [Buffer, Buffer | null] | null {
  return decoded.kind === 'data' ? [decoded.write.key.bytes, decoded.write.value] : null
}

describe('a changelog record', () => {
  test('of any key and value is read as it was written, and is never taken for a meta record', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.option(fc.uint8Array()), (key, value) => {
        const bytes = value === null ? null : Buffer.from(value)
        const decoded = decodeChangelogRecord(record(StoreKey.of(Buffer.from(key)).stored, bytes), place)
        expect(keyAndValue(decoded)).toEqual([Buffer.from(key), bytes])
      }),
    )
  })

  test('holds a copy, not a view of the fetched bytes', () => {
    const view = record(Buffer.from('\u0001k'), Buffer.from('before'))
    const decoded = decodeChangelogRecord(view, place)
    view.bytes.fill(0)
    expect(keyAndValue(decoded)).toEqual([Buffer.from('k'), Buffer.from('before')])
  })

  test('with the meta key is the meta of a commit', () => {
    expect(decodeChangelogRecord(record(metaRecordKey, encodeMeta(meta)), place)).toEqual({
      kind: 'meta',
      meta,
    })
  })

  test('of a newer format is refused', () => {
    const newer = Buffer.from(JSON.stringify({ ...meta, version: 2 }))
    expect(() => decodeChangelogRecord(record(metaRecordKey, newer), place)).toThrow(
      expect.objectContaining({ code: 'FORMAT_TOO_NEW' }),
    )
  })

  test.each([
    ['no key', null],
    ['an empty key', Buffer.alloc(0)],
    ['a key of another kind', Buffer.from([2, 3])],
  ])('that has %s is named as foreign, with its place', (_what, key) => {
    expect(() => decodeChangelogRecord(record(key, Buffer.from('x')), place)).toThrow(
      expect.objectContaining({
        code: 'CORRUPT_BATCH',
        details: expect.objectContaining({ topic: 'changelog', offset: 7 }),
      }),
    )
  })
})
