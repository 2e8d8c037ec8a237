/** CreateTopics v3, CreatePartitions v1, DeleteTopics v1, DescribeConfigs v2. */
import { kafkajsCodec } from './codec.ts'

interface TopicErrors {
  topicErrors: { topic: string; errorCode: number; errorMessage: string | null }[]
}

const namedErrors = ({ topicErrors }: TopicErrors) => ({
  topics: topicErrors.map(({ topic, errorCode, errorMessage }) => ({
    name: topic,
    errorCode,
    message: errorMessage,
  })),
})

export const createTopicsCodec = kafkajsCodec<'CreateTopics', TopicErrors>({
  name: 'CreateTopics',
  version: 3,
  options: ({ topics, timeoutMs }) => ({
    timeout: timeoutMs,
    topics: topics.map(({ name, partitionCount, replicationFactor, config }) => ({
      topic: name,
      numPartitions: partitionCount,
      replicationFactor,
      configEntries: config,
    })),
  }),
  answer: namedErrors,
})

export const createPartitionsCodec = kafkajsCodec<'CreatePartitions', TopicErrors>({
  name: 'CreatePartitions',
  version: 1,
  options: ({ topic, partitionCount, timeoutMs }) => ({
    timeout: timeoutMs,
    topicPartitions: [{ topic, count: partitionCount }],
  }),
  answer: namedErrors,
})

export const deleteTopicsCodec = kafkajsCodec<
  'DeleteTopics',
  { topicErrors: { topic: string; errorCode: number }[] }
>({
  name: 'DeleteTopics',
  version: 1,
  options: ({ topics, timeoutMs }) => ({ topics, timeout: timeoutMs }),
  answer: ({ topicErrors }) => ({
    topics: topicErrors.map(({ topic, errorCode }) => ({ name: topic, errorCode })),
  }),
})

const topicResource = 2

interface DescribedConfigs {
  resources: {
    errorCode: number
    errorMessage: string | null
    configEntries: { configName: string; configValue: string | null }[]
  }[]
}

export const describeConfigsCodec = kafkajsCodec<'DescribeConfigs', DescribedConfigs>({
  name: 'DescribeConfigs',
  version: 2,
  options: ({ topic }) => ({ resources: [{ type: topicResource, name: topic }], includeSynonyms: false }),
  answer: ({ resources: [resource] }) => {
    if (resource === undefined) throw new RangeError('The answer describes no topic')
    const { errorCode, errorMessage, configEntries } = resource
    return {
      errorCode,
      message: errorMessage,
      entries: configEntries.map(({ configName, configValue }) => ({ name: configName, value: configValue })),
    }
  },
})
