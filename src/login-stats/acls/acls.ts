/**
 * What each command needs of Kafka's authorizer, and no more. An operation that another one on the same resource implies is not
 * told: Kafka takes Read, Write, Delete and Alter for Describe too.
 */
import type { Config } from '../config/index.ts'
import { progressTopic, replayTransactionalId } from '../dead-letters/topics.ts'

export const aclCommands = ['run', 'generate', 'table', 'verify', 'dlq', 'reset', 'topics'] as const

export type AclCommand = (typeof aclCommands)[number]

export type AclOperation = 'Read' | 'Write' | 'Create' | 'Delete' | 'Alter' | 'Describe' | 'DescribeConfigs'

export interface Resource {
  readonly type: 'topic' | 'group' | 'transactional-id'
  readonly name: string
  /** Prefixed: every resource whose name begins so. */
  readonly pattern: 'literal' | 'prefixed'
}

export interface Acl extends Resource {
  readonly operation: AclOperation
  readonly commands: readonly AclCommand[]
}

interface Need {
  readonly resource: Resource
  readonly operations: readonly AclOperation[]
}

/** The access lists for these commands together, by resource. */
export function aclsOf(config: Config, commands: readonly AclCommand[]): Acl[] {
  const acls = new Map<string, Acl>()
  for (const command of commands)
    for (const { resource, operations } of needs[command](config))
      for (const operation of operations) {
        const key = [resource.type, resource.pattern, resource.name, operation].join(' ')
        const before = acls.get(key)?.commands ?? []
        acls.set(key, { ...resource, operation, commands: [...before, command] })
      }
  const all = [...acls.values()]
  return all.filter((acl) => !isImplied(acl, all)).sort(byResource)
}

const describing: ReadonlySet<AclOperation> = new Set(['Read', 'Write', 'Delete', 'Alter'])

function isImplied(acl: Acl, all: readonly Acl[]): boolean {
  if (acl.operation !== 'Describe') return false
  return all.some((other) => isSameResource(other, acl) && describing.has(other.operation))
}

function isSameResource(a: Resource, b: Resource): boolean {
  return a.type === b.type && a.name === b.name && a.pattern === b.pattern
}

const typeOrder: readonly Resource['type'][] = ['topic', 'group', 'transactional-id']

function byResource(a: Acl, b: Acl): number {
  return typeOrder.indexOf(a.type) - typeOrder.indexOf(b.type)
}

function topic(name: string | null, ...operations: AclOperation[]): Need[] {
  return name === null ? [] : [{ resource: { type: 'topic', name, pattern: 'literal' }, operations }]
}

function group(name: string, pattern: Resource['pattern'], ...operations: AclOperation[]): Need {
  return { resource: { type: 'group', name, pattern }, operations }
}

function transactions(name: string, pattern: Resource['pattern']): Need {
  return { resource: { type: 'transactional-id', name, pattern }, operations: ['Write'] }
}

const repartitionOf = ({ appId }: Config) => `${appId}-counts-repartition`
/** How far replays of dead letters have got. */
const progressOf = (config: Config) => (config.dlqTopic === null ? null : progressTopic(config))
const changelogOf = ({ appId }: Config) => `${appId}-counts-changelog`

const needs: Readonly<Record<AclCommand, (config: Config) => Need[]>> = {
  run: (config) => [
    ...topic(config.inputTopic, 'Read'),
    // They grow with the input.
    ...topic(config.dlqTopic, 'Write', 'Create', 'Alter', 'DescribeConfigs'),
    ...topic(config.enrichedTopic, 'Write', 'Create', 'Alter', 'DescribeConfigs'),
    // What has been read of it is deleted.
    ...topic(repartitionOf(config), 'Read', 'Write', 'Create', 'Delete', 'DescribeConfigs'),
    ...topic(changelogOf(config), 'Read', 'Write', 'Create', 'DescribeConfigs'),
    ...topic(config.outputTopic, 'Write', 'Create', 'DescribeConfigs'),
    group(config.appId, 'literal', 'Read'),
    ...transactionsOfProcessor(config),
    ...aroundProcessor(config),
  ],
  generate: ({ appId, inputTopic }) => [
    ...topic(inputTopic, 'Write'),
    transactions(`${appId}-generate-`, 'prefixed'),
  ],
  table: ({ outputTopic }) => topic(outputTopic, 'Read'),
  verify: (config) => [
    ...topic(config.inputTopic, 'Read'),
    ...topic(config.dlqTopic, 'Read'),
    ...topic(repartitionOf(config), 'Describe'),
    ...topic(changelogOf(config), 'Read'),
    ...topic(config.outputTopic, 'Read'),
    group(config.appId, 'literal', 'Describe'),
  ],
  dlq: (config) =>
    config.dlqTopic === null
      ? []
      : [
          ...topic(config.dlqTopic, 'Read'),
          ...topic(config.inputTopic, 'Write'),
          ...topic(progressOf(config), 'Read', 'Write', 'Create', 'DescribeConfigs'),
          transactions(replayTransactionalId(config.appId), 'literal'),
        ],
  reset: (config) => [
    ...topic(config.outputTopic, 'Read', 'Write'),
    ...topic(repartitionOf(config), 'Delete'),
    ...topic(changelogOf(config), 'Delete'),
    group(config.appId, 'literal', 'Delete'),
    transactions(`${config.appId}-reset-`, 'prefixed'),
  ],
  topics: (config) => [
    ...topic(config.inputTopic, 'Create', 'Describe'),
    ...topic(config.dlqTopic, 'Create', 'Alter', 'DescribeConfigs'),
    ...topic(progressOf(config), 'Create', 'Describe', 'DescribeConfigs'),
    ...topic(config.enrichedTopic, 'Create', 'Alter', 'DescribeConfigs'),
    ...topic(repartitionOf(config), 'Create', 'Describe', 'DescribeConfigs'),
    ...topic(changelogOf(config), 'Create', 'Describe', 'DescribeConfigs'),
    ...topic(config.outputTopic, 'Create', 'Describe', 'DescribeConfigs'),
    ...topic(config.insightsTopic, 'Create', 'Describe'),
  ],
}

/** What answers over HTTP, and the insights, read the table and the dead letters. */
function aroundProcessor({ appId, httpPort, insightsTopic, outputTopic, dlqTopic }: Config): Need[] {
  const isReading = httpPort !== null || insightsTopic !== null
  return [
    ...(isReading ? [...topic(outputTopic, 'Read'), ...topic(dlqTopic, 'Read')] : []),
    ...topic(insightsTopic, 'Write', 'Create'),
    ...(insightsTopic === null ? [] : [transactions(`${appId}-insights`, 'literal')]),
  ]
}

/** The names that TRANSACTION_SCOPE leads to: of the threads, or of the tasks of both subtopologies. */
function transactionsOfProcessor({ appId, transactionScope }: Config): Need[] {
  return transactionScope === 'thread'
    ? [transactions(`${appId}-thread-`, 'prefixed')]
    : [transactions(`${appId}-0_`, 'prefixed'), transactions(`${appId}-1_`, 'prefixed')]
}
