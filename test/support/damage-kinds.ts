/** The kinds of damage of EXACTLY-ONCE section 4, each with what may come of it, and how to inflict it on a stopped store. */
import { cpSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Xoshiro128 } from '../../src/login-stats/generator/xoshiro128.ts'
import { keySpace, seal } from '../../src/streams/store/envelope.ts'
import {
  type CommitRecord,
  type IdentityRecord,
  metaKey,
  metaPut,
  readMeta,
} from '../../src/streams/store/store-meta.ts'
import { entriesOf, flipByteAt, largest, withDatabase, zeroPage } from './damage.ts'

export interface Victim {
  readonly task: string
  /** The directory of the store. */
  readonly store: string
  /** The same one as it was after the session before. */
  readonly older: string
  /** An undamaged store of another task. */
  readonly other: string
  readonly random: Xoshiro128
}

export interface Kind {
  readonly name: string
  /** The reasons for which it may be wiped; `kept`: it need not be. */
  readonly outcomes: readonly string[]
  inflict(victim: Victim): void | Promise<void>
}

const damaged = ['damaged']

export const kinds: readonly Kind[] = [
  {
    name: 'a flipped byte in the log',
    outcomes: damaged,
    inflict: ({ store }) => flipByteAt(largest(store, '.log'), 0.4),
  },
  {
    name: 'a flipped byte in a table',
    outcomes: damaged,
    inflict: ({ store }) => flipByteAt(largest(store, '.ldb'), 0.3),
  },
  {
    name: 'a flipped byte in the MANIFEST',
    outcomes: damaged,
    inflict: ({ store }) => flipByteAt(largest(store, 'MANIFEST'), 0.5),
  },
  { name: 'no CURRENT', outcomes: damaged, inflict: ({ store }) => rmSync(join(store, 'CURRENT')) },
  {
    name: 'an empty CURRENT',
    outcomes: damaged,
    inflict: ({ store }) => truncateSync(join(store, 'CURRENT')),
  },
  {
    name: 'a CURRENT that names another MANIFEST',
    outcomes: damaged,
    inflict: ({ store }) => writeFileSync(join(store, 'CURRENT'), 'MANIFEST-999999\n'),
  },
  { name: 'no MANIFEST', outcomes: damaged, inflict: ({ store }) => rmSync(largest(store, 'MANIFEST')) },
  {
    name: 'an empty MANIFEST',
    outcomes: damaged,
    inflict: ({ store }) => truncateSync(largest(store, 'MANIFEST')),
  },
  { name: 'a table that is gone', outcomes: damaged, inflict: ({ store }) => rmSync(largest(store, '.ldb')) },
  {
    name: 'a table cut short',
    outcomes: damaged,
    inflict: ({ store }) => truncateSync(largest(store, '.ldb'), 1000),
  },
  // Power lost before all of it was written: an older state, which the changelog brings up to date.
  {
    name: 'a log cut short',
    outcomes: ['kept'],
    inflict: ({ store, random }) => {
      truncateSync(largest(store, '.log'), random.below(20_000))
    },
  },
  {
    name: 'a log that is gone',
    outcomes: ['kept', 'damaged'],
    inflict: ({ store }) => rmSync(largest(store, '.log')),
  },
  // Power lost when a later page was written, and an earlier one was not.
  {
    name: 'a hole in the log',
    outcomes: damaged,
    inflict: ({ store }) => zeroPage(largest(store, '.log'), 1),
  },
  {
    name: 'the store as it was before',
    outcomes: ['kept'],
    inflict: ({ store, older }) => {
      rmSync(store, { recursive: true })
      cpSync(older, store, { recursive: true })
    },
  },
  {
    name: 'the store of another task',
    outcomes: ['foreign'],
    inflict: ({ store, other }) => {
      rmSync(store, { recursive: true })
      cpSync(other, store, { recursive: true })
    },
  },
  {
    name: 'a store of another cluster',
    outcomes: ['foreign'],
    inflict: ({ store }) => changeIdentity(store, { clusterId: 'another' }),
  },
  {
    name: 'a store of a topic that was deleted',
    outcomes: ['foreign'],
    inflict: ({ store }) => changeIdentity(store, { changelogTopicId: 'another' }),
  },
  { name: 'a store of an older format', outcomes: ['format'], inflict: ({ store }) => setFormat(store, 0) },
  {
    name: 'a store older than what the changelog keeps of deletions',
    outcomes: ['too-old'],
    inflict: ({ store }) =>
      changeCommit(store, (commit) => ({ ...commit, committedAtMs: commit.committedAtMs - 90_000_000 })),
  },
  {
    name: 'a position beyond the end of the changelog',
    outcomes: ['beyond-end'],
    inflict: ({ store }) =>
      changeCommit(store, (commit) => ({
        ...commit,
        changelogPosition: commit.changelogPosition + 1_000_000,
      })),
  },
  {
    name: 'a lost entry',
    outcomes: damaged,
    inflict: ({ store, random }) => loseEntry(store, keySpace.data, random),
  },
  {
    name: 'a lost index entry',
    outcomes: damaged,
    inflict: ({ store, random }) => loseEntry(store, keySpace.index, random),
  },
  {
    name: 'an older value of a key',
    outcomes: damaged,
    inflict: ({ store, older }) => takeOlderValue(store, older),
  },
  {
    name: 'a meta record that is gone',
    outcomes: damaged,
    inflict: ({ store, random }) => loseEntry(store, keySpace.meta, random),
  },
  {
    name: 'a meta record that does not fit its checksum',
    outcomes: damaged,
    inflict: ({ store }) =>
      withDatabase(store, (database) =>
        database.batch(
          [{ type: 'put', key: metaKey('commit'), value: Buffer.from('{"changelogPosition":7}') }],
          {
            sync: true,
          },
        ),
      ),
  },
]

function changeIdentity(store: string, change: Partial<IdentityRecord['identity']>): Promise<void> {
  return withDatabase(store, async (database) => {
    const found = readMeta('identity', database.getSync(metaKey('identity')))
    if (found.state !== 'good') throw new Error(found.state)
    const { record } = found
    await database.batch([metaPut('identity', { ...record, identity: { ...record.identity, ...change } })], {
      sync: true,
    })
  })
}

function changeCommit(store: string, change: (commit: CommitRecord) => CommitRecord): Promise<void> {
  return withDatabase(store, async (database) => {
    const found = readMeta('commit', database.getSync(metaKey('commit')))
    if (found.state !== 'good') throw new Error(found.state)
    await database.batch([metaPut('commit', change(found.record))], { sync: true })
  })
}

export function setFormat(store: string, version: number): Promise<void> {
  const { key, value } = seal(keySpace.meta, Buffer.from('commit'), Buffer.of(version))
  return withDatabase(store, (database) => database.batch([{ type: 'put', key, value }], { sync: true }))
}

export function loseEntry(store: string, space: number, random: Xoshiro128): Promise<void> {
  return withDatabase(store, async (database) => {
    const entries = await entriesOf(database, space)
    const lost = entries[random.below(entries.length)]
    if (lost === undefined) throw new Error('there is no entry')
    await database.batch([{ type: 'del', key: lost[0] }], { sync: true })
  })
}

/** With its checksum, as a write that got lost leaves it. */
async function takeOlderValue(store: string, older: string): Promise<void> {
  const before = new Map<string, Buffer>()
  await withDatabase(older, async (database) => {
    for (const [key, value] of await entriesOf(database, keySpace.data))
      before.set(key.toString('latin1'), value)
  })
  await withDatabase(store, async (database) => {
    for (const [key, value] of await entriesOf(database, keySpace.data)) {
      const old = before.get(key.toString('latin1'))
      if (old === undefined || old.equals(value)) continue
      await database.batch([{ type: 'put', key, value: old }], { sync: true })
      return
    }
    throw new Error('no value has changed')
  })
}
