import { expect, test } from 'vitest'
import {
  fencedProducer,
  type TransactionsOptions,
} from '../../../../src/streams/transactions/fenced-producer.ts'

/** As much of the options as is looked at. */
function optionsOf({ wasLost }: { wasLost: boolean }): { options: TransactionsOptions; fenced: string[] } {
  const fenced: string[] = []
  const options = {
    member: { wasLost: () => wasLost },
    transactionTimeoutMs: 10_000,
    kafka: {
      producer: ({ transactionalId }: { transactionalId: string }) => ({
        init: async () => void fenced.push(transactionalId),
      }),
    },
  }
  return { options: options as unknown as TransactionsOptions, fenced }
}

test('a producer of ours fences those before it', async () => {
  const { options, fenced } = optionsOf({ wasLost: false })
  await fencedProducer(options, 'app-1_0')
  expect(fenced).toEqual(['app-1_0'])
})

test('a process that stood still past its session fences nobody', async () => {
  const { options, fenced } = optionsOf({ wasLost: true })
  await expect(fencedProducer(options, 'app-1_0')).rejects.toMatchObject({ code: 'TASK_MIGRATED' })
  expect(fenced).toEqual([])
})
