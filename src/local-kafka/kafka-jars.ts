/**
 * The jars of Apache Kafka, fetched once from Maven Central into a cache outside the checkout.
 *
 * Invariant: a directory `kafka-<version>-<revision>` is whole or does not exist. It is fetched under another name
 * in the same place and renamed at the end; of two processes that fetch at the same time, the later one throws
 * its copy away.
 */
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { type Environment, environment } from '../system/environment.ts'
import { systemRandom } from '../system/random.ts'
import { runCommand } from './command.ts'
import { findMaven } from './java.ts'
import type { LocalKafkaOptions } from './types.ts'
import { unavailable } from './unavailable.ts'

/** Goes up when the list of artifacts changes, so that an old cache is not taken for the new one. */
const revision = 1
const dependencyPlugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1'
const operation = 'Fetching Apache Kafka'

export function cacheDirectory(variables: Environment = environment()): string {
  return join(variables.XDG_CACHE_HOME || join(homedir(), '.cache'), 'login-stats')
}

/** The directory with the jars of this version; fetches them if they are not there. */
export async function kafkaJars(
  version: string,
  { onProgress, signal }: Pick<LocalKafkaOptions, 'onProgress' | 'signal'> = {},
): Promise<string> {
  if (!/^\d+\.\d+\.\d+$/.test(version))
    throw unavailable(operation, `"${version}" is no version of Apache Kafka.`)
  const directory = join(cacheDirectory(), `kafka-${version}-${revision}`)
  if (await exists(directory)) return directory
  const maven = await findMaven()
  if ('missing' in maven) throw unavailable(operation, `${maven.missing}.`)
  onProgress?.(`Fetching Apache Kafka ${version} from Maven Central (once; up to 130 MB)`)
  await fetchJars(maven.command, version, directory, signal)
  return directory
}

async function fetchJars(
  maven: string,
  version: string,
  directory: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const fetching = `${directory}.fetching-${process.pid}-${systemRandom.id()}`
  await mkdir(fetching, { recursive: true })
  try {
    const pom = join(fetching, 'pom.xml')
    await writeFile(pom, pomXml(version))
    const goal = [
      `${dependencyPlugin}:copy-dependencies`,
      '-DincludeScope=runtime',
      `-DoutputDirectory=${fetching}`,
    ]
    const { exitCode, stdout, stderr } = await runCommand(maven, ['-B', '-q', '-f', pom, ...goal], { signal })
    if (exitCode !== 0) {
      throw unavailable(
        operation,
        `Maven could not fetch version ${version}: ${`${stdout}\n${stderr}`.trim().slice(0, 2000)}`,
        'Check the network and the settings of Maven (~/.m2/settings.xml).',
      )
    }
    await publish(fetching, directory)
    await removeAbandoned(directory)
  } finally {
    await rm(fetching, { recursive: true, force: true })
  }
}

async function publish(fetching: string, directory: string): Promise<void> {
  try {
    await rename(fetching, directory)
  } catch (error) {
    // Another process was faster; what it has made is as good as ours.
    if (!(await exists(directory))) throw error
  }
}

/** What a fetch left behind that was killed half-way. */
async function removeAbandoned(directory: string): Promise<void> {
  for (const name of await readdir(cacheDirectory())) {
    const pid = /\.fetching-(\d+)-/.exec(name)?.[1]
    if (pid !== undefined && join(cacheDirectory(), name).startsWith(directory) && !isRunning(Number(pid))) {
      await rm(join(cacheDirectory(), name), { recursive: true, force: true })
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function exists(path: string): Promise<boolean> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  return found !== null
}

/**
 * `kafka-tools` for Kafka's own commands; `slf4j-simple` so that the broker's log goes to its standard error
 * whatever version it is (3.9 brings a binding that needs a configuration file, 4.x brings none).
 */
export function pomXml(version: string): string {
  const exclusions =
    '<exclusions><exclusion><groupId>org.slf4j</groupId><artifactId>slf4j-reload4j</artifactId></exclusion></exclusions>'
  const dependency = (group: string, artifact: string, artifactVersion: string) =>
    `    <dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${artifactVersion}</version>${exclusions}</dependency>`
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>login-stats</groupId>
  <artifactId>local-kafka</artifactId>
  <version>1</version>
  <dependencies>
${dependency('org.apache.kafka', 'kafka_2.13', version)}
${dependency('org.apache.kafka', 'kafka-tools', version)}
${dependency('org.slf4j', 'slf4j-simple', '1.7.36')}
  </dependencies>
</project>
`
}
