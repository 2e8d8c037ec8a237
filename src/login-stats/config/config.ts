/**
 * From the environment to the typed configuration:
 *
 *  1. find the text of each setting: its variable, its alias, its file, or its default;
 *  2. hold all of them against the schema;
 *  3. look for contradictions between them;
 *  4. throw one CONFIG_INVALID that lists every problem, or return the configuration.
 */
import { readFileSync } from 'node:fs'
import { CodedError } from '../../errors.ts'
import { counted } from '../format.ts'
import { closest } from './closest.ts'
import { contradictions } from './cross-checks.ts'
import { type Setting, type SettingName, settingList, settingsSchema, type Values } from './settings.ts'
import { withoutUserinfo } from './values.ts'

export type Origin = 'default' | 'environment' | 'file'

export interface Source {
  /** The text that the value was read from. */
  readonly text: string
  readonly from: Origin
}

/** The typed settings; durations in milliseconds, what is off or left to others null. */
export interface Config extends Values {
  /** Where the value of each setting came from. */
  readonly sources: Readonly<Record<SettingName, Source>>
}

export type Environment = Readonly<Record<string, string | undefined>>

/** Prefix of variables that can only be meant for this program. */
const ownPrefix = 'LOGIN_STATS_'

/** Reads and checks the configuration. Throws one CONFIG_INVALID with all problems in its message. */
export function loadConfig(environment: Environment): Config {
  const problems = unknownVariables(environment)
  const sources = Object.fromEntries(
    settingList.map((setting) => [setting.name, findSource(setting, environment, problems)]),
  ) as Record<SettingName, Source>
  const texts = Object.fromEntries(settingList.map(({ name }) => [name, sources[name].text]))

  const parsed = settingsSchema.safeParse(texts)
  if (!parsed.success)
    for (const { name, variable, secret } of settingList) {
      const issue = parsed.error.issues.find(({ path }) => path[0] === name)
      if (issue === undefined) continue
      const shown = secret ? '' : `=${withoutUserinfo(sources[name].text)}`
      problems.push(`${variable}${shown}: ${innermost(issue)}`)
    }
  else problems.push(...contradictions(parsed.data))

  if (problems.length > 0 || !parsed.success)
    throw new CodedError('CONFIG_INVALID', {
      operation: 'reading the configuration',
      detail: `${counted(problems.length, 'problem')}:\n${problems
        .map((problem) => `  - ${problem}`)
        .join('\n')}\n`,
    })
  return { ...parsed.data, sources }
}

interface Issue {
  readonly message: string
  /** The issues of each alternative, where the value may be one of several kinds. */
  readonly errors?: readonly (readonly Issue[])[]
}

/** What the last alternative says: an optional setting is the empty text, or else its own kind. */
function innermost(issue: object): string {
  const { message, errors } = issue as Issue
  const inner = errors?.at(-1)?.[0]
  return inner === undefined ? message : innermost(inner)
}

function findSource(setting: Setting, environment: Environment, problems: string[]): Source {
  const { variable, alias, secret } = setting
  const given = present(setting, environment[variable])
  const fromAlias = alias === undefined ? undefined : present(setting, environment[alias])
  if (given !== undefined && fromAlias !== undefined && given !== fromAlias)
    problems.push(`${variable} and ${alias} are both set, and differ: keep one`)

  const file = secret ? present(setting, environment[`${variable}_FILE`]) : undefined
  if (file !== undefined) {
    if (given !== undefined) problems.push(`${variable} and ${variable}_FILE are both set: keep one`)
    return { text: readSecret(variable, file, problems), from: 'file' }
  }
  const text = given ?? fromAlias
  return text === undefined ? { text: setting.default, from: 'default' } : { text, from: 'environment' }
}

/** Compose files and charts pass on what is unset as empty; that must not differ from leaving it out. */
function present({ emptyMeans, secret }: Setting, text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  // Blanks may belong to a password.
  const meant = secret ? text : text.trim()
  return meant === '' && emptyMeans === undefined ? undefined : meant
}

function readSecret(variable: string, path: string, problems: string[]): string {
  try {
    const text = readFileSync(path, 'utf8').replace(/\r?\n$/, '')
    if (text === '') problems.push(`${variable}_FILE=${path}: is empty`)
    return text
  } catch (error) {
    problems.push(`${variable}_FILE=${path}: ${readFailure(error)}`)
    return ''
  }
}

/** Why a file could not be read, without its path. */
export function readFailure(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
  return `cannot be read (${code})`
}

function unknownVariables(environment: Environment): string[] {
  const known = settingList.flatMap(({ variable, alias, secret }) => [
    variable,
    ...(alias === undefined ? [] : [alias]),
    ...(secret ? [`${variable}_FILE`] : []),
  ])
  return Object.keys(environment)
    .filter((variable) => variable.startsWith(ownPrefix))
    .sort()
    .map((variable) => {
      const meant = closest(variable.slice(ownPrefix.length), known)
      return `${variable}: there is no such setting${meant === undefined ? '' : `; did you mean ${meant}?`}`
    })
}

export interface SettingRow {
  readonly variable: string
  /** The effective value as text; a secret that is set shows as stars. */
  readonly value: string
  readonly from: Origin
  readonly description: string
}

/** One row for each setting, in the order of the table, with secrets hidden. */
export function describeConfig(config: Config): SettingRow[] {
  return settingList.map(({ name, variable, secret, description }) => {
    const { text, from } = config.sources[name]
    return {
      variable,
      value: secret && text !== '' ? '********' : text,
      from,
      description,
    }
  })
}
