import type { GroupIdentity, TransactionalProducer } from '../../ports/kafka.ts'
import type { TransactionPart } from './transactions.ts'

/** Steps 2 to 4 of a commit (`task/commit.ts`), for all parts at once. Resolves with the end offsets of each part's outgoing. */
export async function runTransaction(
  producer: TransactionalProducer,
  identity: GroupIdentity,
  parts: readonly TransactionPart[],
): Promise<number[][]> {
  const passed = (step: 2 | 3 | 4): void => {
    for (const part of parts) part.passed(step)
  }
  // 2.
  const ends = await producer.send(parts.flatMap(({ outgoing }) => outgoing))
  passed(2)
  // 3.
  const offsets = parts.flatMap((part) => part.offsets)
  await producer.sendOffsets(identity, offsets)
  passed(3)
  // 4.
  await producer.commit()
  passed(4)
  let from = 0
  return parts.map(({ outgoing }) => {
    const own = ends.slice(from, from + outgoing.length)
    from += outgoing.length
    return own
  })
}
