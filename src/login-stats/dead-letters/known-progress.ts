import type { KafkaAdmin } from '../../ports/kafka.ts'
import { letterCodes } from '../domain/letter-codes.ts'
import type { KnownProgress } from './replay-decision.ts'
import { marksOf, type ReplayMark, replayGroup } from './replay-progress.ts'
import type { DeadLetterTopics } from './topics.ts'

/** How far the replays of all kinds have got, by partition. `code` null: plain ones. */
export interface AllProgress {
  of(partition: number): KnownProgress
  mark(code: string | null, partition: number): ReplayMark | null
}

/** Waits for the transaction of a replay that is still open. */
export async function readProgress(
  admin: KafkaAdmin,
  appId: string,
  topics: DeadLetterTopics,
  ends: readonly number[],
): Promise<AllProgress> {
  const marks = new Map<string | null, (ReplayMark | null)[]>()
  for (const code of [null, ...letterCodes])
    marks.set(code, await marksOf(admin, replayGroup(appId, code), topics, ends))
  const mark = (code: string | null, partition: number) => marks.get(code)?.[partition] ?? null
  return {
    mark,
    of: (partition) => ({
      plain: mark(null, partition),
      ofCode: (code) => mark(code, partition),
    }),
  }
}
