import { expect, test } from 'vitest'
import { fenceOldOwner } from '../../../../src/streams/task/take-over.ts'
import type { TaskEnvironment } from '../../../../src/streams/task/task-environment.ts'

/** As much of an environment as step 2 looks at. */
function environmentOf(options: { wasLost: boolean }): { environment: TaskEnvironment; fenced: string[] } {
  const fenced: string[] = []
  const environment = {
    member: { wasLost: () => options.wasLost },
    settings: { transactionTimeoutMs: 10_000 },
    kafka: {
      producer: ({ transactionalId }: { transactionalId: string }) => ({
        init: async () => void fenced.push(transactionalId),
      }),
    },
  }
  return { environment: environment as unknown as TaskEnvironment, fenced }
}

test('a task that is ours is fenced from its old owner', async () => {
  const { environment, fenced } = environmentOf({ wasLost: false })
  await fenceOldOwner(environment, '1_0', 'app-1_0')
  expect(fenced).toEqual(['app-1_0'])
})

test('a process that stood still past its session fences nobody', async () => {
  const { environment, fenced } = environmentOf({ wasLost: true })
  await expect(fenceOldOwner(environment, '1_0', 'app-1_0')).rejects.toMatchObject({ code: 'TASK_MIGRATED' })
  expect(fenced).toEqual([])
})
