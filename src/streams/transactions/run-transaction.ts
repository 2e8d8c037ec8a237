import { CodedError } from '../../errors.ts'
import type { GroupIdentity, TransactionalProducer } from '../../ports/kafka.ts'
import type { TransactionOutcome, TransactionPart } from './transactions.ts'

/**
 * Steps 2 to 4 of a commit (`task/commit.ts`), for all parts at once. `identity`: of the last assignment; null before the first, when
 * there is no task that could commit. Resolves with the end offsets of each part's outgoing. `ended` is told of each transaction once.
 */
export async function runTransaction(
  producer: TransactionalProducer,
  identity: GroupIdentity | null,
  parts: readonly TransactionPart[],
  ended: (outcome: TransactionOutcome) => void,
): Promise<number[][]> {
  if (identity === null) {
    throw new CodedError('INTERNAL', { operation: 'commit', detail: 'No assignment has been taken.' })
  }
  let lastStep = 1
  try {
    const ends = await runSteps(producer, identity, parts, (step) => {
      lastStep = step
    })
    ended('committed')
    return ends
  } catch (error) {
    // Before the end was asked for, nobody can have committed it.
    const isUnknown = lastStep === 3 && error instanceof CodedError && error.code === 'OUTCOME_UNKNOWN'
    ended(isUnknown ? 'unknown' : 'aborted')
    throw error
  }
}

async function runSteps(
  producer: TransactionalProducer,
  identity: GroupIdentity,
  parts: readonly TransactionPart[],
  done: (step: 2 | 3 | 4) => void,
): Promise<number[][]> {
  const passed = (step: 2 | 3 | 4): void => {
    done(step)
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
  return endsByPart(parts, ends)
}

function endsByPart(parts: readonly TransactionPart[], ends: readonly number[]): number[][] {
  let from = 0
  return parts.map(({ outgoing }) => {
    const own = ends.slice(from, from + outgoing.length)
    from += outgoing.length
    return own
  })
}
