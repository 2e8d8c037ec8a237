import { describe, expect, it } from 'vitest'
import { Changelog } from '../../../src/verify/changelog.ts'
import { field, Ledger } from '../../../src/verify/ledger.ts'
import { entryRecord, metaRecord, recordOf } from './changelog-records.ts'

const rules = { dimensions: [], maxClockSkewMs: 0, windows: [{ name: 'w', durationMs: 1000 }], panes: 10 }

function folded(records: Parameters<Changelog['add']>[0][]) {
  const ledger = new Ledger({ windowCount: 1, partitionCount: 1 })
  const changelog = new Changelog(ledger)
  for (const record of records) changelog.add(record, 0)
  changelog.finish(rules)
  return { ledger, partition: changelog.partitions[0] }
}

describe('Changelog', () => {
  it('keeps the last entry of a key and the last meta record, and deletes', () => {
    const { ledger, partition } = folded([
      entryRecord('a', { count: 1 }, 0),
      entryRecord('b', { count: 1 }, 1),
      metaRecord({ counted: { 2: 8 } }, 2),
      entryRecord('a', { count: 2 }, 3),
      entryRecord('b', null, 4),
      metaRecord({ counted: { 2: 9 }, streamTime: 5, fingerprint: { A: '1' } }, 5),
    ])
    const [a, b] = ['a', 'b'].map((key) => ledger.find(key))
    expect(ledger.get(a!, field.counterCount)).toBe(2)
    expect(ledger.get(a!, field.counterPlace)).toBe(3 + 1)
    expect(ledger.get(b!, field.counterPlace)).toBe(0)
    expect(partition?.counted('in')).toEqual(new Map([[2, 9]]))
    expect(partition?.counted('other')).toEqual(new Map())
    expect(partition).toMatchObject({ streamTime: 5, meta: { fingerprint: { A: '1' } } })
  })

  it.each([
    ['an unknown kind', recordOf({ offset: 7, key: Buffer.from([2]), value: '{}' }), 'neither an entry nor'],
    ['a newer meta record', metaRecord({ version: 2 }, 7), 'FORMAT_TOO_NEW'],
    ['no counter', recordOf({ offset: 7, key: '\u0001a', value: 'short' }), 'FORMAT_TOO_NEW'],
  ])('refuses %s', (_, record, message) => {
    expect(() => folded([record]).partition?.streamTime).toThrow(message)
  })
})
