import { CodedError } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { KafkaClient } from '../../ports/kafka.ts'
import type { Config } from '../config/index.ts'
import { counted } from '../format.ts'
import { readProgress } from './known-progress.ts'
import { committedRanges, type Letter, letterChunks } from './letters.ts'
import { type LetterStatus, statusOf } from './list.ts'
import { deadLetterTopics } from './topics.ts'

export interface LetterPlace {
  readonly partition: number
  readonly offset: number
}

/** One letter, whole. Throws OFFSET_OUT_OF_RANGE where there is none, TOPIC_MISSING, CONFIG_INVALID. */
export async function findLetter(
  { kafka, clock, config }: { readonly kafka: KafkaClient; readonly clock: Clock; readonly config: Config },
  { partition, offset }: LetterPlace,
): Promise<{ readonly letter: Letter; readonly status: LetterStatus }> {
  const topics = await deadLetterTopics(kafka.admin, config)
  const { name: topic, partitionCount } = topics.dlq
  const ranges = await committedRanges({ kafka, topic }, partitionCount)
  const range = ranges[partition]
  const place = { topic, partition, offset }
  if (range === undefined)
    throw missing(place, `The topic has ${counted(partitionCount, 'partition')}, from 0.`)
  const { from, to } = range
  if (offset < from || offset >= to)
    throw missing(
      place,
      from === to ? 'The partition is empty.' : `It holds the offsets ${from} to ${to - 1}.`,
    )
  const ends = ranges.map((one) => one.to)
  const progress = await readProgress({ kafka, clock }, topics, ends)
  const wanted = [{ partition, from: offset, to: offset + 1 }]
  for await (const { letters } of letterChunks({ kafka, clock, topic }, wanted)) {
    const letter = letters.find((one) => one.offset === offset)
    if (letter !== undefined)
      return { letter, status: statusOf(letter, progress.of(partition), config.inputTopic) }
  }
  throw missing(place, 'At this offset stands no record, but the end of a transaction or an aborted record.')
}

function missing(place: LetterPlace & { readonly topic: string }, detail: string): CodedError {
  return new CodedError('OFFSET_OUT_OF_RANGE', {
    operation: 'dlq show',
    ...place,
    detail,
    hint: 'login-stats dlq list shows which dead letters there are.',
  })
}
