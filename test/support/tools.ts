/**
 * Programs that the tests of the deployment use and that are no packages of npm. Each is looked for in the variable of its name, on the
 * PATH, and in the cache, where `npm run tools` puts those that can be had (fetch-tools.ts).
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { cacheDirectory } from '../../src/local-kafka/kafka-jars.ts'

export const toolVersions = {
  // Whichever Debian has: its package is not looked up by version.
  promtool: 'debian',
  prometheus: 'debian',
  helm: '3.19.4',
  kubeconform: '0.7.0',
} as const

export type ToolName = keyof typeof toolVersions

/** Of the Kubernetes whose schemas manifests are held against, and of those of the operators whose resources the chart may have. */
export const schemaVersions = { kubernetes: '1.34.2', prometheusOperator: '0.85.0', keda: '2.17.2' } as const

/** Goes up when the way in which the schemas are made changes. */
const schemaRevision = 2

export interface Tool {
  /** Null where it is not there. */
  readonly command: string | null
  /** For the name of a test that is skipped: empty, or what is missing. */
  readonly reason: string
}

export function cachedTool(name: ToolName): string {
  return join(cacheDirectory(), 'tools', `${name}-${toolVersions[name]}`)
}

/** Where the JSON schemas of Kubernetes are, once fetched. */
export function schemaDirectory(): string {
  const { kubernetes, prometheusOperator, keda } = schemaVersions
  return join(
    cacheDirectory(),
    'tools',
    `kubernetes-schemas-${kubernetes}-${prometheusOperator}-${keda}-${schemaRevision}`,
  )
}

export function findTool(name: ToolName): Tool {
  const given = process.env[name.toUpperCase()]
  if (given) return { command: given, reason: '' }
  const candidates = [
    ...(process.env.PATH ?? '').split(delimiter).map((directory) => join(directory, name)),
    cachedTool(name),
  ]
  const command = candidates.find((path) => existsSync(path)) ?? null
  return { command, reason: command === null ? ` (skipped: no ${name}; npm run tools gets it)` : '' }
}

export interface ToolResult {
  readonly exitCode: number | null
  /** Standard output, and standard error after it. */
  readonly output: string
  readonly stdout: string
}

/** Runs a tool to its end, at most a minute. */
export function runTool(command: string, args: readonly string[], stdin = ''): ToolResult {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    input: stdin,
    encoding: 'utf8',
    timeout: 60_000,
    maxBuffer: 64 << 20,
  })
  return { exitCode: status, stdout, output: `${stdout}${stderr}${error?.message ?? ''}` }
}
