import { expect, it } from 'vitest'
import { selfTimes } from '../../../bench/report/cpu-profile.ts'

const frame = (id: number, functionName: string, url: string) => ({
  id,
  callFrame: { functionName, url, lineNumber: 9 },
})

it('sums self times by file and by function, without what is idle', () => {
  const profile = {
    nodes: [
      frame(1, 'scan', 'file:///home/me/src/kafka/fetcher.ts'),
      frame(2, 'poll', 'file:///home/me/src/kafka/fetcher.ts'),
      frame(3, '(idle)', ''),
      frame(4, '(garbage collector)', ''),
      frame(5, 'decode', 'file:///home/me/node_modules/kafkajs/src/decoder.js'),
    ],
    samples: [1, 2, 3, 4, 1, 5],
    timeDeltas: [2000, 1000, 7000, 500, 1000, 250],
  }
  expect(selfTimes(profile)).toEqual({
    busyMs: 4.75,
    idleMs: 7,
    byFile: [
      ['src/kafka/fetcher.ts', 4],
      ['(garbage collector)', 0.5],
      ['node_modules/kafkajs/src/decoder.js', 0.25],
    ],
    byFunction: [
      ['scan src/kafka/fetcher.ts:10', 3],
      ['poll src/kafka/fetcher.ts:10', 1],
      ['(garbage collector)', 0.5],
      ['decode node_modules/kafkajs/src/decoder.js:10', 0.25],
    ],
  })
})
