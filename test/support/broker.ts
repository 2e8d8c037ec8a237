import { randomBytes } from 'node:crypto'
import { inject } from 'vitest'

/** The broker of this run, host:port. */
export function bootstrapServers(): string {
  return inject('kafkaBrokers')
}

/** A prefix for topics, groups and directories that no other test has. */
export function uniquePrefix(name: string): string {
  return `${name}-${randomBytes(4).toString('hex')}`
}
