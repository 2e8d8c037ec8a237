import { CodedError } from '../../errors.ts'
import type { KafkaAdmin, TopicInfo } from '../../ports/kafka.ts'
import type { Config } from '../config/index.ts'

export interface DeadLetterTopics {
  readonly dlq: TopicInfo
  readonly inputTopic: string
  /** Null where it does not exist (any more). */
  readonly input: TopicInfo | null
  /** Name of the topic that says how far replays have got; null before the first one. */
  readonly progress: string | null
}

/** Internal, and yet kept by a reset: what was written back stays in the input. */
export function progressTopic({ appId }: Pick<Config, 'appId'>): string {
  return `${appId}-dlq-replay`
}

/** The same for replays of all codes and those of one, so that only one runs at a time. */
export function replayTransactionalId(appId: string): string {
  return `${appId}-dlq-replay`
}

/** The dead-letter topic, the input, and how far replays have got. Throws TOPIC_MISSING, and CONFIG_INVALID where DLQ_TOPIC is off. */
export async function deadLetterTopics(admin: KafkaAdmin, config: Config): Promise<DeadLetterTopics> {
  const { dlqTopic, inputTopic } = config
  if (dlqTopic === null)
    throw new CodedError('CONFIG_INVALID', {
      operation: 'look for the dead letters',
      detail: 'DLQ_TOPIC is empty: invalid records are not kept.',
      hint: 'Set DLQ_TOPIC to the topic that the processor writes them to.',
    })
  const progress = progressTopic(config)
  const topics = await admin.topics([dlqTopic, inputTopic, progress])
  const dlq = topics.get(dlqTopic)
  if (dlq === undefined)
    throw new CodedError('TOPIC_MISSING', { operation: 'look for the dead letters', topic: dlqTopic })
  const input = topics.get(inputTopic) ?? null
  return { dlq, inputTopic, input, progress: topics.get(progress)?.name ?? null }
}
