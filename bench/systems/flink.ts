/** Flink SQL: `peers/flink`, a mini cluster in one process, mini-batches, two-phase aggregation, checkpoints each second. */
import { JavaPeer } from './java-peer.ts'
import type { System } from './system.ts'

const peer = new JavaPeer('flink')
const defaultParallelism = 2
/** Flink's serialisation looks into the classes of Java. */
const opened = [
  'java.lang',
  'java.util',
  'java.util.concurrent',
  'java.time',
  'java.net',
  'java.io',
  'java.nio',
]
const flags = ['-Xmx2g', ...opened.map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`)]

export const flink: System = {
  name: 'flink',
  title: 'Flink SQL',

  async prepare(onProgress) {
    const java = await peer.build(onProgress)
    const connector = await peer.versionOf('flink-connector-kafka')
    return `Flink ${await peer.versionOf('flink-clients')} with its Kafka connector ${connector}, ${java}`
  },

  launch: (job) =>
    peer.launch(job.directory, flags, {
      KAFKA_BROKERS: job.bootstrapServers,
      APP_ID: job.appId,
      INPUT_TOPIC: job.inputTopic,
      OUTPUT_TOPIC: job.outputTopic,
      DIMENSIONS: job.dimensions.join(','),
      THREADS: String(job.threads ?? defaultParallelism),
      STATE_DIR: job.directory,
    }),

  readRow: (key, value) => ({ key, count: Number(/"n":(\d+)/.exec(value)?.[1]) }),
}
