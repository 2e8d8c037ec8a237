import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { systemClock } from '../system/clock.ts'
import { type CommandResult, runCommand } from './command.ts'
import { brokerLabel } from './docker-cluster.ts'
import { findJava } from './java.ts'
import { kafkaJars } from './kafka-jars.ts'
import { defaultKafkaVersion } from './types.ts'
import { unavailable } from './unavailable.ts'
import { startWatched } from './watched-process.ts'

export interface KafkaToolOptions {
  readonly stdin?: string | Buffer
  /** Ended by SIGKILL after so long; default 60 s. */
  readonly timeoutMs?: number
  readonly version?: string
}

const defaultTimeoutMs = 60_000
const javaFlags = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto']
/** Warnings go to stderr, so that stdout is the tool's own output. */
const logFlags = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn']

/**
 * Runs one of Apache Kafka's own command-line tools by its main class, such as
 * `org.apache.kafka.tools.consumer.ConsoleConsumer`, to its end; for an independent view of what is in Kafka.
 * Where Java or Maven is missing it runs inside a broker of ours in Docker: file arguments do not work there.
 */
export async function runKafkaTool(
  mainClass: string,
  args: readonly string[],
  options: KafkaToolOptions = {},
): Promise<CommandResult> {
  const java = await findJava()
  if ('missing' in java) return runInDocker(mainClass, args, options, java.missing)
  const jars = await kafkaJars(options.version ?? defaultKafkaVersion)
  const javaArguments = [...javaFlags, ...logFlags, '-cp', join(jars, '*'), mainClass, ...args]
  return runWatched(java.command, javaArguments, options)
}

async function runWatched(
  command: string,
  args: readonly string[],
  { stdin, timeoutMs = defaultTimeoutMs }: KafkaToolOptions,
): Promise<CommandResult> {
  const tool = await startWatched(command, args, { stdin: 'pipe', output: 'pipe' })
  tool.hold()
  const cancel = systemClock.setTimer(timeoutMs, () => tool.signal('SIGKILL'))
  try {
    // A tool that ends without reading its input breaks the pipe; its exit code tells more than that.
    if (tool.stdin !== null) once(tool.stdin, 'error').catch(() => 'not an error')
    tool.stdin?.end(stdin)
    const output = [tool.stdout, tool.stderr].map((stream) => (stream === null ? '' : text(stream)))
    const [stdout = '', stderr = ''] = await Promise.all(output)
    return { exitCode: await tool.ended, stdout, stderr }
  } finally {
    cancel()
  }
}

/** Not on the class path of this machine, but in the broker's container: the same class, by `docker exec`. */
async function runInDocker(
  mainClass: string,
  args: readonly string[],
  { stdin = '', timeoutMs = defaultTimeoutMs }: KafkaToolOptions,
  reason: string,
): Promise<CommandResult> {
  const list = await runCommand('docker', [
    'ps',
    '--filter',
    `label=${brokerLabel}`,
    '--format',
    `{{.ID}} {{.Label "${brokerLabel}"}}`,
  ])
  const containers = list.stdout.split('\n').filter((line) => line !== '')
  const port = /:(\d+)/.exec(args.join(' '))?.[1]
  const container = containers.find((line) => line.endsWith(` ${port}`))?.split(' ')[0]
  if (container === undefined) {
    throw unavailable(
      `Running ${mainClass}`,
      `${reason}, and no broker of ours runs in Docker at port ${port}.`,
    )
  }
  return runCommand(
    'docker',
    ['exec', '-i', container, '/opt/kafka/bin/kafka-run-class.sh', mainClass, ...args],
    { stdin, timeoutMs },
  )
}
