import { expect, test } from 'vitest'
import { FlowNetwork } from '../../../../src/streams/rebalance/min-cost-flow.ts'

test('a later unit takes back the way of an earlier one where that is cheaper in all', () => {
  const network = new FlowNetwork()
  const [source, a, b, sink] = [network.addNode(), network.addNode(), network.addNode(), network.addNode()]
  const sourceToA = network.addEdge(source, a, 2, 1)
  const sourceToB = network.addEdge(source, b, 1, 5)
  const aToB = network.addEdge(a, b, 1, 1)
  const aToSink = network.addEdge(a, sink, 1, 8)
  const bToSink = network.addEdge(b, sink, 1, 1)
  expect(network.maximize(source, sink)).toBe(2)
  // The first unit goes a -> b for 3. Two of them: 1 + 8 and 1 + 1 + 1 are 12, but 1 + 8 and 5 + 1 would be 15.
  expect([sourceToA, sourceToB, aToB, aToSink, bToSink].map((edge) => network.flow(edge))).toEqual([
    2, 0, 1, 1, 1,
  ])
})

test('a way back through a residual edge is found', () => {
  const network = new FlowNetwork()
  const [source, a, b, c, sink] = Array.from({ length: 5 }, () => network.addNode()) as [
    number,
    number,
    number,
    number,
    number,
  ]
  network.addEdge(source, a, 1, 0)
  network.addEdge(source, b, 1, 0)
  const aToC = network.addEdge(a, c, 1, 0)
  const aToSink = network.addEdge(a, sink, 1, 7)
  const bToC = network.addEdge(b, c, 1, 2)
  network.addEdge(c, sink, 1, 0)
  expect(network.maximize(source, sink)).toBe(2)
  // b can go through c alone, so that a must give it up.
  expect([aToC, aToSink, bToC].map((edge) => network.flow(edge))).toEqual([0, 1, 1])
})

test('as much flows as the narrowest cut lets through', () => {
  const network = new FlowNetwork()
  const [source, middle, sink] = [network.addNode(), network.addNode(), network.addNode()]
  network.addEdge(source, middle, 9, 0)
  network.addEdge(middle, sink, 3, 2)
  const dear = network.addEdge(middle, sink, 4, 6)
  expect(network.maximize(source, sink)).toBe(7)
  expect(network.flow(dear)).toBe(4)
})
