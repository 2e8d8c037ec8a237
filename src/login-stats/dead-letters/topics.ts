import { CodedError } from '../../errors.ts'
import type { KafkaAdmin, TopicInfo } from '../../ports/kafka.ts'
import type { Config } from '../config/index.ts'

export interface DeadLetterTopics {
  readonly dlq: TopicInfo
  /** Null where it does not exist (any more). */
  readonly input: TopicInfo | null
}

/** The dead-letter topic and the input. Throws TOPIC_MISSING, and CONFIG_INVALID where DLQ_TOPIC is off. */
export async function deadLetterTopics(admin: KafkaAdmin, config: Config): Promise<DeadLetterTopics> {
  const { dlqTopic, inputTopic } = config
  if (dlqTopic === null)
    throw new CodedError('CONFIG_INVALID', {
      operation: 'look for the dead letters',
      detail: 'DLQ_TOPIC is empty: invalid records are not kept.',
      hint: 'Set DLQ_TOPIC to the topic that the processor writes them to.',
    })
  const topics = await admin.topics([dlqTopic, inputTopic])
  const dlq = topics.get(dlqTopic)
  if (dlq === undefined)
    throw new CodedError('TOPIC_MISSING', { operation: 'look for the dead letters', topic: dlqTopic })
  return { dlq, input: topics.get(inputTopic) ?? null }
}
