/**
 * Commits 100 entries at a time until it is killed, and tells each position once it is committed. Run by the kill test as a
 * process of its own.
 */
import { writeSync } from 'node:fs'
import { TaskStore } from '../../../../src/streams/store/task-store.ts'
import type { CommitMeta } from '../../../../src/streams/store/types.ts'
import { systemClock } from '../../../../src/system/clock.ts'
import { levelDatabaseOpener } from '../../../../src/system/level-database.ts'

const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log }

const store = await TaskStore.open({
  directory: process.argv[2] ?? '',
  opener: levelDatabaseOpener,
  bootId: 'boot-1',
  clock: systemClock,
  log,
  identity: {
    clusterId: 'cluster',
    taskId: '1_0',
    changelogTopic: 'app-counts-changelog',
    changelogTopicId: 'topic-id',
    partition: 0,
  },
  fingerprint: {},
  maxAgeMs: 86_400_000,
  onWipe(reason) {
    throw new Error(`wiped: ${reason}`)
  },
})

for (let position = store.changelogPosition + 1; ; position += 1) {
  for (let n = 0; n < 100; n += 1) {
    store.put(
      Buffer.from(`key ${(position * 100 + n) % 5000}`),
      Buffer.from(`${position} ${'x'.repeat(n * 10)}`),
    )
  }
  store.put(Buffer.from('last'), Buffer.from(String(position)))
  store.freeze()
  const meta: CommitMeta = {
    version: 1,
    fingerprint: { dimensions: 'locale' },
    topicIds: { 'user-login': 'id' },
    inputOffsets: { 'user-login': position },
    counted: { 'user-login': { '0': position } },
    streamTime: null,
  }
  await store.commitFrozen(position, meta)
  writeSync(1, `${position}\n`)
}
