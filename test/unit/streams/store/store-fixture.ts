import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Clock } from '../../../../src/ports/clock.ts'
import type { Log } from '../../../../src/ports/log.ts'
import type { StoreOptions } from '../../../../src/streams/store/store-opening.ts'
import { TaskStore } from '../../../../src/streams/store/task-store.ts'
import type { CommitMeta, StoreIdentity, WipeReason } from '../../../../src/streams/store/types.ts'
import { systemClock } from '../../../../src/system/clock.ts'
import { levelDatabaseOpener } from '../../../../src/system/level-database.ts'

export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLog,
}

export const identity: StoreIdentity = {
  clusterId: 'cluster',
  taskId: '1_0',
  changelogTopic: 'app-counts-changelog',
  changelogTopicId: 'topic-id',
  partition: 0,
}

export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'store-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

export function metaAt(inputOffset: number): CommitMeta {
  return {
    version: 1,
    fingerprint: { dimensions: 'locale' },
    topicIds: { 'user-login': 'id' },
    inputOffsets: { 'user-login': inputOffset },
    counted: { 'user-login': { '0': inputOffset } },
    streamTime: null,
  }
}

/** The index in these tests: the first two bytes of the value; none if the value is shorter. */
export function firstTwoBytes(_: Buffer, value: Buffer): Buffer | null {
  return value.length < 2 ? null : value.subarray(0, 2)
}

export const day = 86_400_000

export async function openStore(
  directory: string,
  changes: Partial<StoreOptions> = {},
): Promise<{ store: TaskStore; wipes: WipeReason[] }> {
  const wipes: WipeReason[] = []
  const store = await TaskStore.open({
    directory,
    opener: levelDatabaseOpener,
    bootId: 'boot-1',
    clock: systemClock,
    log: silentLog,
    identity,
    fingerprint: {},
    maxAgeMs: day,
    onWipe: (reason) => wipes.push(reason),
    ...changes,
  })
  return { store, wipes }
}

export function clockAt(now: () => number): Clock {
  return { ...systemClock, now }
}

export async function commit(
  store: TaskStore,
  position: number,
  writes: Iterable<readonly [string, string | null]>,
): Promise<void> {
  for (const [key, value] of writes) {
    if (value === null) store.delete(Buffer.from(key))
    else store.put(Buffer.from(key), Buffer.from(value))
  }
  store.freeze()
  await store.commitFrozen(position, metaAt(position))
}
