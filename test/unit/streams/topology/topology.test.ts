import { expect, test } from 'vitest'
import { describe as describeTopology, TopologyBuilder } from '../../../../src/streams/index.ts'

const supplier = () => ({ process: () => {} })

test('a topology names its nodes from source to sink', () => {
  const builder = new TopologyBuilder('app')
  builder
    .subtopology()
    .source('logins', 'user-login')
    .processor('read', ['logins'], supplier)
    .processor('count', ['read'], supplier)
    .store('counts')
    .sink('table', 'login-stats', { role: 'table', partitioning: 'key' })
  const topology = builder.build()
  expect(describeTopology(topology)).toBe(
    [
      'Topology of app',
      '  Subtopology 0',
      '    Source logins <- user-login',
      '    Processor read <- logins',
      '    Processor count <- read',
      '    Store counts (changelog app-counts-changelog)',
      '    Sink table -> login-stats (by key)',
    ].join('\n'),
  )
})

test('a processor that reads what does not stand before it is refused', () => {
  const builder = new TopologyBuilder('app')
  builder.subtopology().source('logins', 'user-login').processor('count', ['read'], supplier)
  expect(() => builder.build()).toThrow(expect.objectContaining({ code: 'TOPOLOGY_INVALID' }))
})

test('two nodes of one name, two stores, and a subtopology without a source are refused', () => {
  const twice = new TopologyBuilder('app')
  twice.subtopology().source('logins', 'a').processor('logins', ['logins'], supplier)
  expect(() => twice.build()).toThrow(expect.objectContaining({ code: 'TOPOLOGY_INVALID' }))
  expect(() => new TopologyBuilder('app').subtopology().store('a').store('b')).toThrow(
    expect.objectContaining({ code: 'TOPOLOGY_INVALID' }),
  )
  const empty = new TopologyBuilder('app')
  empty.subtopology()
  expect(() => empty.build()).toThrow(expect.objectContaining({ code: 'TOPOLOGY_INVALID' }))
})
