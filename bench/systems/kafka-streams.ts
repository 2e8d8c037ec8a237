/** Kafka Streams: `peers/kafka-streams`, exactly-once v2, RocksDB, static membership, a heap of 2 GB. */

import { JavaPeer } from './java-peer.ts'
import type { LogLine } from './launched.ts'
import type { System } from './system.ts'

const peer = new JavaPeer('kafka-streams')
const defaultThreads = 2

export const kafkaStreams: System = {
  name: 'kafka-streams',
  title: 'Kafka Streams',

  async prepare(onProgress) {
    const java = await peer.build(onProgress)
    return `Kafka Streams ${await peer.versionOf('kafka-streams')}, ${java}`
  },

  launch: (job) =>
    peer.launch(job.directory, ['-Xmx2g'], {
      KAFKA_BROKERS: job.bootstrapServers,
      APP_ID: job.appId,
      INPUT_TOPIC: job.inputTopic,
      OUTPUT_TOPIC: job.outputTopic,
      ENRICHED_TOPIC: job.enrichedTopic ?? '',
      DIMENSIONS: job.dimensions.join(','),
      THREADS: String(job.threads ?? defaultThreads),
      STATE_DIR: job.directory,
      GROUP_INSTANCE_ID: job.instanceId,
    }),

  readRow: (key, value) => ({ key, count: Number(value) }),

  restoreOf({ lines }) {
    const times = (message: string) =>
      lines.filter(({ msg }) => msg === message).map(({ time }) => Number(time))
    const [starts, ends] = [times('restore started'), times('restored')]
    if (ends.length === 0) return null
    const recordsOf = ({ msg, records }: LogLine) => (msg === 'restored' ? Number(records) : 0)
    return {
      records: lines.reduce((sum, line) => sum + recordsOf(line), 0),
      seconds: (Math.max(...ends) - Math.min(...starts)) / 1000,
    }
  },
}
