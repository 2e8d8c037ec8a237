import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { committedStateOfStatefulTask } from '../../../../src/streams/task/take-over.ts'
import type { TaskEnvironment } from '../../../../src/streams/task/task-environment.ts'
import { systemClock } from '../../../../src/system/clock.ts'
import { commit, metaAt, openStore, temporaryDirectory } from '../store/store-fixture.ts'

const changelog = { topic: 'app-counts-changelog', partition: 0 }

/** A changelog of which there is nothing to read between a position and its end. */
function environmentWith({ start, end }: { start: number; end: number }): TaskEnvironment {
  const environment: unknown = {
    kafka: {
      admin: { listOffsets: async (_: unknown, which: string) => [which === 'earliest' ? start : end] },
    },
    member: { committedOffsets: async () => [] },
    clock: systemClock,
    observer: {},
    fingerprint: metaAt(0).fingerprint,
    catalog: { ids: () => ({}) },
  }
  return environment as TaskEnvironment
}

describe('a changelog whose first records were deleted', () => {
  const truncated = environmentWith({ start: 5, end: 9 })

  test.each([{ position: 0 }, { position: 4 }])(
    'is refused by a store at $position, which has not seen them; the store stays as it is',
    async ({ position }) => {
      const { store, wipes } = await openStore(join(await temporaryDirectory(), 'store'))
      if (position > 0) await commit(store, position, [['key', 'value']])
      const taking = committedStateOfStatefulTask(truncated, '1_0', [], changelog, store, () => false)
      await expect(taking).rejects.toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' })
      expect([store.changelogPosition, wipes]).toEqual([position, []])
      await store.close({ clean: true })
    },
  )

  test('is no matter for a store that has seen them', async () => {
    const { store, wipes } = await openStore(join(await temporaryDirectory(), 'store'))
    await commit(store, 9, [['key', 'value']])
    await committedStateOfStatefulTask(truncated, '1_0', [], changelog, store, () => false)
    expect([store.changelogPosition, store.entryCount, wipes]).toEqual([9, 1, []])
    await store.close({ clean: true })
  })
})
