/**
 * What the engine relies on of the Kafka port, whatever is behind it: the real broker, or the simulated one. Both run the same
 * tests, so that the simulation stays true.
 */
import { afterEach, beforeEach, describe } from 'vitest'
import { adminContract } from './admin-contract.ts'
import { compactionContract } from './compaction-contract.ts'
import { fetcherContract } from './fetcher-contract.ts'
import { groupContract } from './group-contract.ts'
import { PortScenario, type PortUnderTest } from './port-scenario.ts'
import { offsetsContract, producerContract } from './producer-contract.ts'

export function describeKafkaPortContract(name: string, port: PortUnderTest): void {
  describe(`the Kafka port on ${name}`, () => {
    let scenario: PortScenario
    const current = () => scenario

    beforeEach(() => {
      scenario = new PortScenario(port)
    })
    afterEach(() => scenario.close())

    describe('transactional producer', () => producerContract(current))
    describe('offsets', () => offsetsContract(current))
    describe('fetcher', () => fetcherContract(current))
    describe('compaction', () => compactionContract(current))
    describe('group member', () => groupContract(current))
    describe('admin', () => adminContract(current))
  })
}
