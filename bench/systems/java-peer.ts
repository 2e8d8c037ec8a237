/**
 * Builds a peer's program with Maven, once for each state of its sources, into the cache that the jars of Kafka are in too; and
 * starts it.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { runCommand } from '../../src/local-kafka/command.ts'
import { findJava, findMaven } from '../../src/local-kafka/java.ts'
import { cacheDirectory } from '../../src/local-kafka/kafka-jars.ts'
import { Launched } from './launched.ts'
import { SystemUnavailable } from './system.ts'

export class JavaPeer {
  readonly #name: string
  readonly #sources: string
  #built: { readonly java: string; readonly directory: string } | null = null

  /** `name`: of its folder in `bench/peers`. */
  constructor(name: string) {
    this.#name = name
    this.#sources = join(import.meta.dirname, '../peers', name)
  }

  /** Returns the Java that it runs on. Throws SystemUnavailable. */
  async build(onProgress: (text: string) => void): Promise<string> {
    const java = await findJava()
    if ('missing' in java) throw new SystemUnavailable(java.missing)
    const directory = join(cacheDirectory(), `bench-${this.#name}-${await this.#digest()}`)
    if (!existsSync(directory)) {
      const maven = await findMaven()
      if ('missing' in maven) throw new SystemUnavailable(maven.missing)
      onProgress(`Building bench/peers/${this.#name} with Maven`)
      await this.#build(maven.command, directory)
    }
    this.#built = { java: java.command, directory }
    const { stderr } = await runCommand(java.command, ['-version'])
    return `Java ${/version "([^"]+)"/.exec(stderr)?.[1] ?? 'unknown'}`
  }

  /** `directory`: for what Java unpacks, which would stay where it is after a kill -9. */
  launch(
    directory: string,
    flags: readonly string[],
    environment: Readonly<Record<string, string>>,
  ): Promise<Launched> {
    if (this.#built === null) throw new Error(`${this.#name} has not been built`)
    const { java, directory: built } = this.#built
    const classPath = `${join(built, 'classes')}:${join(built, 'jars', '*')}`
    const properties = [`-Djava.io.tmpdir=${directory}`, '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn']
    const parameters = [...properties, ...flags, '-cp', classPath, 'bench.CountLogins']
    return Launched.start(this.#name, java, parameters, environment)
  }

  /** The version of one of its jars. */
  async versionOf(artifact: string): Promise<string> {
    const jars = await readdir(join(this.#built?.directory ?? '', 'jars'))
    const jar = jars.find(
      (name) => name.startsWith(`${artifact}-`) && /\d/.test(name[artifact.length + 1] ?? ''),
    )
    return jar?.slice(artifact.length + 1, -'.jar'.length) ?? 'unknown'
  }

  async #build(maven: string, directory: string): Promise<void> {
    const building = `${directory}.building-${process.pid}`
    await mkdir(building, { recursive: true })
    try {
      const pom = join(this.#sources, 'pom.xml')
      const parameters = ['-B', '-q', '-f', pom, `-Dbuild.root=${building}`, 'process-classes']
      const { exitCode, stdout, stderr } = await runCommand(maven, parameters)
      if (exitCode !== 0)
        throw new SystemUnavailable(`Maven failed: ${`${stdout}${stderr}`.trim().slice(-1500)}`)
      await rename(building, directory)
    } finally {
      await rm(building, { recursive: true, force: true })
    }
  }

  async #digest(): Promise<string> {
    const hash = createHash('sha256')
    const names = await readdir(this.#sources, { recursive: true })
    for (const name of names.filter((one) => /\.(java|xml)$/.test(one)).sort()) {
      hash.update(`${name}\0`).update(await readFile(join(this.#sources, name)))
    }
    return hash.digest('hex').slice(0, 12)
  }
}
