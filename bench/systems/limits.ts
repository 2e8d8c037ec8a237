/**
 * The limits: programs that write nothing and promise nothing. They say what reading and counting alone costs, and how much of it
 * any processor in Node can reach.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Launched } from './launched.ts'
import type { Job, System } from './system.ts'

function environmentOf(job: Job): Record<string, string> {
  return {
    KAFKA_BROKERS: job.bootstrapServers,
    INPUT_TOPIC: job.inputTopic,
    DIMENSIONS: job.dimensions.join(','),
    LOGINS: String(job.logins),
    GROUP_ID: job.appId,
  }
}

function limit(name: 'kafkajs' | 'scan', title: string, file: string, what: () => string): System {
  const program = join(import.meta.dirname, '../limits', file)
  return {
    name,
    title,
    prepare: async () => what(),
    launch: (job) =>
      Launched.start(
        title,
        process.execPath,
        ['--disable-warning=TimeoutNegativeWarning', program],
        environmentOf(job),
      ),
    readRow: null,
  }
}

function kafkajsVersion(): string {
  const path = join(import.meta.dirname, '../../node_modules/kafkajs/package.json')
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version
}

export const kafkajsLimit = limit(
  'kafkajs',
  'kafkajs, JSON.parse',
  'kafkajs-consumer.ts',
  () => `a consumer of kafkajs ${kafkajsVersion()} that does JSON.parse and counts; nothing is written`,
)

export const scanLimit = limit(
  'scan',
  'fetch, CRC, scan',
  'scan-loop.ts',
  () => 'a loop that fetches, checks CRCs, scans the bytes of each login and counts; nothing is written',
)
