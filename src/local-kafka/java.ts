import { join } from 'node:path'
import { environment } from '../system/environment.ts'
import { runCommand } from './command.ts'

const oldestJava = 17

export type Found = { readonly command: string } | { readonly missing: string }

/** Java 17 or later: the one of JAVA_HOME, else the one on the PATH. */
export async function findJava(): Promise<Found> {
  const home = environment().JAVA_HOME
  const command = home ? join(home, 'bin', 'java') : 'java'
  const { exitCode, stderr } = await runCommand(command, ['-version'])
  if (exitCode !== 0) return { missing: `Java ${oldestJava} or later was not found (${stderr.trim()})` }
  const version = majorVersion(stderr)
  if (version !== null && version < oldestJava) {
    return { missing: `Java ${version} is too old, ${oldestJava} is needed` }
  }
  return { command }
}

/** The major version in the output of `java -version`; null where it does not say one. `1.8.0` is 8. */
export function majorVersion(output: string): number | null {
  const match = /version "(?:1\.)?(\d+)/.exec(output)
  return match?.[1] === undefined ? null : Number(match[1])
}

export async function findMaven(): Promise<Found> {
  const { exitCode, stderr } = await runCommand('mvn', ['--version'])
  return exitCode === 0 ? { command: 'mvn' } : { missing: `Maven (mvn) was not found (${stderr.trim()})` }
}
