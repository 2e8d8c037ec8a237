/** What the demo says when it is ready: where to look, and what to type in another terminal. */
import { isAbsolute, join, relative } from 'node:path'
import { type Config, type Environment, settingList } from './config/index.ts'

export interface DemoFacts {
  readonly config: Config
  /** The one that `config` was read from. */
  readonly environment: Environment
  /** Where the demo was started: paths among its settings may be relative to it. */
  readonly directory: string
  /** Null: there is none. */
  readonly pageUrl: string | null
  readonly logFile: string
  /** Where the invented logins go, if that is no Kafka of the demo's own; else null. */
  readonly foreignKafka: string | null
}

/** `bin/` stands beside `src/`, and beside `dist/` in the package. */
const launcher = join(import.meta.dirname, '../../bin/login-stats')
/** Of the demo's instance alone. */
const ownSettings = new Set(['HTTP_PORT', 'HTTP_ADVERTISED_URL'])

/** Lines; the first says the most. The commands stand there alone in their lines, for they are copied by the line. */
export function demoText(facts: DemoFacts): string[] {
  const { config, directory, pageUrl, logFile, foreignKafka } = facts
  const program = shellWord(fromDirectory(directory, launcher))
  const secrets = secretVariables(config)
  return [
    `${pageUrl === null ? '' : `The live page: ${pageUrl} - `}Ctrl-C stops all.`,
    `The processor logs to ${logFile}.`,
    ...(foreignKafka === null
      ? []
      : [`Invented logins go to ${config.inputTopic} at ${foreignKafka} (KAFKA_BROKERS).`]),
    '',
    'In another terminal, while this runs: a second instance, the rows with the fewest logins, what could not be read, a recount.',
    ...(secrets.length === 0 ? [] : [`It needs ${secrets.join(' and ')} too.`]),
    'The second instance shares the work until Ctrl-C or kill -9. End it before this: it would wait for a Kafka that is gone.',
    '',
    `  cd ${shellWord(directory)}`,
    `  export ${exportedSettings(facts).join(' ')}`,
    `  HTTP_PORT=0 ${program} run`,
    `  ${program} table --least 3`,
    `  ${program} dlq list --summary`,
    `  ${program} verify`,
    '',
  ]
}

/** What another process must be told to be one of this application, as a shell reads it. Never a secret. */
function exportedSettings({ config, environment }: DemoFacts): string[] {
  return settingList.flatMap(({ name, variable, secret }) => {
    const { text, from } = config.sources[name]
    if (from === 'default' || ownSettings.has(variable)) return []
    if (from === 'file') return [`${variable}_FILE=${shellWord(environment[`${variable}_FILE`] ?? '')}`]
    return secret ? [] : [`${variable}=${shellWord(text)}`]
  })
}

/** Those that stand in the environment itself. */
function secretVariables({ sources }: Config): string[] {
  return settingList
    .filter(({ name, secret }) => secret && sources[name].from === 'environment')
    .map(({ variable }) => variable)
}

function fromDirectory(directory: string, path: string): string {
  const way = relative(directory, path)
  return way.startsWith('..') || isAbsolute(way) ? path : way
}

/** Quoted where a shell would take it for more than one word, or for something else. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}
