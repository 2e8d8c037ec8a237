import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../../src/kafka/consumer-protocol.ts'
import { codeOf } from './scripted-wire.ts'

const kafkajs = createRequire(import.meta.url)('kafkajs/src/consumer/assignerProtocol')

const topic = fc.stringMatching(/^[a-z.]{1,9}$/)
const userData = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes))

describe('the consumer protocol', () => {
  it('gives a subscription back', () => {
    const subscription = fc.record({ topics: fc.array(topic), userData })
    fc.assert(
      fc.property(subscription, (given) => {
        expect(decodeSubscription(encodeSubscription(given))).toEqual(given)
      }),
    )
  })

  it('gives an assignment back, and is read by kafkajs as it was meant', () => {
    const byTopic = fc.dictionary(topic, fc.uniqueArray(fc.nat(99), { minLength: 1 }), {
      noNullPrototype: true,
    })
    fc.assert(
      fc.property(byTopic, userData, (assignment, data) => {
        const partitions = Object.entries(assignment).flatMap(([name, list]) =>
          list.map((partition) => ({ topic: name, partition })),
        )
        const encoded = encodeAssignment({ partitions, userData: data })
        expect(decodeAssignment(encoded)).toEqual({ partitions, userData: data })
        expect(kafkajs.MemberAssignment.decode(encoded)).toEqual({ version: 0, assignment, userData: data })
      }),
    )
  })

  it('takes an empty assignment for no partitions', () => {
    expect(decodeAssignment(Buffer.alloc(0)).partitions).toEqual([])
  })

  it('reads a newer version with fields behind the known ones, and null user data', () => {
    const encoded = encodeSubscription({ topics: ['t'], userData: Buffer.alloc(0) })
    encoded.writeInt16BE(3, 0)
    encoded.writeInt32BE(-1, encoded.length - 4)
    const newer = Buffer.concat([encoded, Buffer.from([0, 0, 0, 0])])
    expect(decodeSubscription(newer)).toEqual({ topics: ['t'], userData: Buffer.alloc(0) })
  })

  it('refuses bytes that end too early', async () => {
    const encoded = encodeSubscription({ topics: ['topic'], userData: Buffer.from('data') })
    for (let length = 0; length < encoded.length; length++) {
      const cut = encoded.subarray(0, length)
      expect(await codeOf(() => decodeSubscription(cut))).toBe('GROUP_INCONSISTENT')
    }
  })
})
