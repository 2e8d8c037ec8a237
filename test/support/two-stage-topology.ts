import { TopologyBuilder } from '../../src/streams/index.ts'
import type { Topology } from '../../src/streams/topology/topology.ts'

const supplier = () => ({ process: () => {} })

/** The least that counts: the first stage reads `input`, the second one has the store `counts`. Its processors do nothing. */
export function twoStageTopology(): Topology {
  const builder = new TopologyBuilder('app')
  builder
    .subtopology()
    .source('logins', 'input')
    .processor('read', ['logins'], supplier)
    .sink('partials', 'app-repartition', { role: 'repartition', partitioning: 'key' })
  builder
    .subtopology()
    .source('partials', 'app-repartition', 'repartition')
    .processor('count', ['partials'], supplier)
    .store('counts')
  return builder.build()
}
