import { describe, expect, it } from 'vitest'
import { type Acl, aclCommands, aclsOf } from '../../../../src/login-stats/acls/acls.ts'
import { loadConfig } from '../../../../src/login-stats/config/index.ts'
import { topologyOf } from '../../../../src/login-stats/topology.ts'
import { topicNames } from '../../../../src/streams/index.ts'
import { runHere } from '../../../support/here.ts'

const environment = { APP_ID: 'app', ENRICHED_TOPIC: 'enriched', KAFKA_BROKERS: 'one:1,two:2' }
const config = loadConfig(environment)

function has(acls: readonly Acl[], name: string, operation: string): boolean {
  return acls.some((acl) => acl.name === name && acl.operation === operation)
}

describe('the access lists', () => {
  it('of the processor name every topic of its topology', () => {
    const names = aclsOf(config, ['run']).flatMap(({ type, name }) => (type === 'topic' ? [name] : []))
    const insights = [config.insightsTopic ?? '']
    expect(new Set(names)).toEqual(new Set([...topicNames(topologyOf(config)), ...insights]))
  })

  it('leave out what is off', () => {
    const off = loadConfig({ ...environment, DLQ_TOPIC: '', ENRICHED_TOPIC: '' })
    const names = new Set(aclsOf(off, aclCommands).map(({ name }) => name))
    expect([...names].filter((name) => /dlq|enriched/.test(name))).toEqual([])
    expect(aclsOf(off, ['dlq'])).toEqual([])
  })

  it('of transactions are those of the scope', () => {
    const ofScope = (scope: string) =>
      aclsOf(loadConfig({ ...environment, TRANSACTION_SCOPE: scope }), ['run'])
        .filter(({ type }) => type === 'transactional-id')
        .map(({ name, pattern }) => `${pattern} ${name}`)
    expect(ofScope('thread')).toEqual(['prefixed app-thread-', 'literal app-insights'])
    expect(ofScope('task')).toEqual(['prefixed app-0_', 'prefixed app-1_', 'literal app-insights'])
  })

  it('say nothing twice, and nothing that another line implies', () => {
    const all = aclsOf(config, aclCommands)
    const lines = all.map(({ type, name, pattern, operation }) => `${type} ${pattern} ${name} ${operation}`)
    expect(new Set(lines).size).toBe(lines.length)
    for (const { name, operation } of all) {
      if (operation !== 'Describe') continue
      for (const implying of ['Read', 'Write', 'Delete', 'Alter'])
        expect(has(all, name, implying), name).toBe(false)
    }
    expect(has(aclsOf(config, ['verify']), 'app', 'Describe')).toBe(true)
    expect(has(aclsOf(config, ['verify', 'run']), 'app', 'Describe')).toBe(false)
  })

  it('never allow everything: no wildcard, no cluster, no prefix that the application does not own', () => {
    for (const { name, pattern, type } of aclsOf(config, aclCommands)) {
      expect(name).not.toContain('*')
      if (pattern === 'prefixed') expect(name.startsWith('app-'), `${type} ${name}`).toBe(true)
    }
  })
})

describe('the command', () => {
  const run = (...args: string[]) => runHere(['acls', ...args], environment)

  it("prints lines for Kafka's own tool", async () => {
    const { exitCode, out } = await run(
      '--principal',
      'User:CN=app,O=Ours',
      '--command',
      'table',
      '--command',
      'dlq',
    )
    expect(exitCode).toBe(0)
    const head = 'kafka-acls.sh --bootstrap-server one:1,two:2 --add --allow-principal User:CN=app,O=Ours'
    expect(out.trim().split('\n')).toEqual([
      `${head} --operation Read --topic login-stats # table`,
      `${head} --operation Read --topic user-login-dlq # dlq`,
      `${head} --operation Write --topic user-login # dlq`,
      `${head} --operation Read --topic app-dlq-replay # dlq`,
      `${head} --operation Write --topic app-dlq-replay # dlq`,
      `${head} --operation Create --topic app-dlq-replay # dlq`,
      `${head} --operation DescribeConfigs --topic app-dlq-replay # dlq`,
      `${head} --operation Write --transactional-id app-dlq-replay # dlq`,
    ])
  })

  it('quotes what a shell would take apart', async () => {
    const { out } = await run(
      '--principal',
      "User:it's $HOME",
      '--command',
      'table',
      '--command-config',
      'a b',
    )
    expect(out).toContain(`--command-config 'a b' --add --allow-principal 'User:it'\\''s $HOME' `)
  })

  it('prints JSON', async () => {
    const { out } = await run('--principal', 'User:app', '--command', 'reset', '--format', 'json')
    expect(JSON.parse(out)).toContainEqual({
      ...{ principal: 'User:app', host: '*', permission: 'Allow', operation: 'Delete', commands: ['reset'] },
      ...{ resource_type: 'group', resource_name: 'app', pattern_type: 'literal' },
    })
  })

  it.each([[['--command', 'nonsense']], [['--format', 'xml']], [['--principal', 'app']]])(
    'refuses %o',
    async (args) => {
      const { exitCode, err } = await run('--principal', 'User:app', ...args)
      expect(exitCode).toBe(2)
      expect(err).toContain('is invalid')
    },
  )
})
