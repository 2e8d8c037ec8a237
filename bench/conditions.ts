/** Where and on what a run was made. */
import { execFileSync } from 'node:child_process'
import { cpus, release, totalmem, type } from 'node:os'
import { defaultKafkaVersion, type LocalKafka } from '../src/local-kafka/index.ts'

export function machineOf({ source }: LocalKafka): Record<string, string> {
  const processors = cpus()
  const broker = source === 'environment' ? 'the one of KAFKA_BROKERS' : `Apache Kafka ${defaultKafkaVersion}`
  return {
    Machine: `${processors.length} cores (${processors[0]?.model.trim() ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()}`,
    Broker: `${broker}, one, on the same machine${source === 'docker' ? ', in Docker' : ''}`,
    Node: process.versions.node,
  }
}

export function revisionOfSources(): string | null {
  const git = (...parameters: string[]): string =>
    execFileSync('git', parameters, { cwd: import.meta.dirname, encoding: 'utf8', stdio: 'pipe' }).trim()
  try {
    return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain', '--', ':/src', ':/bench') === '' ? '' : '+'}`
  } catch {
    // A copy of the sources without its history, or no git.
    return null
  }
}
