import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type CodedError, coded } from '../errors.ts'
import { type LocalKafka, startLocalKafka } from '../local-kafka/index.ts'
import type { Log } from '../ports/log.ts'
import { createLogger } from '../system/logger.ts'
import type { CommandContext } from './commands/context.ts'
import type { DemoOptions } from './commands/demo.ts'
import { Interrupted, reportError } from './commands/error-report.ts'
import { exitCodes } from './commands/exit-codes.ts'
import { showTable } from './commands/table.ts'
import { createTopics } from './commands/topics.ts'
import { type Config, loadConfig } from './config/index.ts'
import { keepWriting } from './demo-logins.ts'
import { demoText } from './demo-text.ts'
import { loginGenerator } from './generator/login-generator.ts'
import { urlHost } from './http/url-host.ts'
import { kafkaOf } from './kafka-client.ts'
import type { ProcessorOptions } from './processor.ts'
import { openService } from './service.ts'
import { StopRequest } from './stop-request.ts'

const stopping = 'Stopping ...\n'

/** What goes on while the table is shown. */
interface Work {
  /** Resolves when it has ended; never rejects. */
  readonly ended: Promise<void>
  stop(): void
}

/**
 * Everything in one process: a local Kafka, the topics, generated logins, the processor, and the table in the terminal, until
 * Ctrl-C. Resolves with the exit code when everything that it started has ended.
 */
export async function demo(context: CommandContext, options: DemoOptions): Promise<number> {
  // By a signal, or by the failure of a part.
  const stop = new StopRequest()
  const stopListening = context.stop.listen((reason) => stop.request(reason))
  const directory = await mkdtemp(join(tmpdir(), 'login-stats-demo-'))
  let kafka: LocalKafka | null = null
  try {
    kafka = await startKafka(context, stop)
    if (kafka === null || stop.isRequested) return exitCodes.ok
    return await showDemo({ ...context, stop }, options, kafka, directory)
  } finally {
    await kafka?.close()
    await rm(directory, { recursive: true, force: true })
    stopListening()
  }
}

/** Null where it was interrupted. What Docker still fetches or starts then is not waited for, and ends with this process. */
async function startKafka(context: CommandContext, stop: StopRequest): Promise<LocalKafka | null> {
  const giveUp = new AbortController()
  const onProgress = (text: string): void => {
    if (!stop.isRequested) context.err.write(`${text}\n`)
  }
  const starting = startLocalKafka({ onProgress, signal: giveUp.signal })
  const interrupted = stop.requested.then(() => null)
  const kafka = await Promise.race([starting, interrupted]).catch((error: unknown) => {
    // Ctrl-C reaches what starts Kafka too.
    if (stop.isRequested) return null
    throw error
  })
  if (kafka !== null) return kafka
  context.err.write(stopping)
  giveUp.abort()
  // That it did not start is what was asked for.
  starting.then((late) => late.close()).catch(() => {})
  return null
}

async function showDemo(
  context: CommandContext,
  options: DemoOptions,
  kafka: LocalKafka,
  directory: string,
): Promise<number> {
  const inDemo: CommandContext = {
    ...context,
    environment: demoEnvironment(context, kafka, directory),
  }
  const config = loadConfig(inDemo.environment)
  const logFile = join(directory, 'processor.log')
  const logTo = { level: config.logLevel, destination: logFile }
  const log = createLogger(logTo)
  // A Kafka that is not the demo's own may be away.
  await Promise.race([interruptible(createTopics(inDemo, options.partitions)), context.stop.requested])
  if (context.stop.isRequested) {
    context.err.write(stopping)
    return exitCodes.ok
  }
  const failures: CodedError[] = []
  const onFailure = (error: CodedError): void => {
    failures.push(error)
    context.stop.request('failure')
  }
  const processor = await startProcessor({ config, logTo }, log, onFailure)
  const work = [processor, startGenerator(inDemo, config, log, options, onFailure)]
  const { httpPort } = processor
  const text = demoText({
    ...{ config, environment: inDemo.environment, directory: resolve(), logFile },
    pageUrl: httpPort === null ? null : `http://${urlHost(config.httpHost)}:${httpPort}/`,
    foreignKafka: kafka.source === 'environment' ? kafka.bootstrapServers : null,
  })
  try {
    await interruptible(showTable(inDemo, { watch: true }, text))
  } finally {
    context.err.write(stopping)
    for (const { stop } of work) stop()
    await Promise.all(work.map(({ ended }) => ended))
  }
  return failures[0] === undefined ? exitCodes.ok : reportError(context, failures[0])
}

/** Ctrl-C is how a demo ends. */
async function interruptible(work: Promise<unknown>): Promise<void> {
  try {
    await work
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error
  }
}

/** Settings of the user go first; the state of a Kafka that vanishes with the demo vanishes with it. */
function demoEnvironment(
  { environment }: CommandContext,
  kafka: LocalKafka,
  directory: string,
): CommandContext['environment'] {
  return {
    ENRICHED_TOPIC: 'processed-user-login',
    ...(kafka.source === 'environment' ? {} : { STATE_DIR: join(directory, 'state') }),
    ...environment,
    KAFKA_BROKERS: kafka.bootstrapServers,
    KAFKA_BOOTSTRAP_SERVERS: kafka.bootstrapServers,
  }
}

async function startProcessor(
  options: ProcessorOptions,
  log: Log,
  onFailure: (error: CodedError) => void,
): Promise<Work & { readonly httpPort: number | null }> {
  const service = await openService(options, log)
  const ended = service
    .run()
    .catch((error: unknown) => onFailure(coded(error, 'run the processor')))
    .then(() => service.close())
    .catch((error: unknown) => onFailure(coded(error, 'close the processor')))
  return { ended, stop: () => service.stop(), httpPort: service.httpPort }
}

function startGenerator(
  { clock, random }: CommandContext,
  config: Config,
  log: Log,
  { rate, invalid, seed }: DemoOptions,
  onFailure: (error: CodedError) => void,
): Work {
  let isStopped = false
  const kafka = kafkaOf(config, log, 'login-stats-demo-generator')
  const logins = loginGenerator({ seed, invalidShare: invalid, clock: () => clock.now() })
  const ended = keepWriting(logins, log, {
    ...{ kafka, clock, rate, topic: config.inputTopic, count: Number.POSITIVE_INFINITY },
    transactionalId: `login-stats-demo-${random.id()}`,
    isStopped: () => isStopped,
    onWritten: () => {},
  })
    .catch((error: unknown) => onFailure(coded(error, 'generate logins')))
    .then(() => kafka.close())
  return {
    ended,
    stop: () => {
      isStopped = true
    },
  }
}
