import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AnswerFrames, FrameLengthError, maxAnswerBytes } from '../../../../src/kafka/wire/answer-frames.ts'

interface Answer {
  correlationId: number
  payload: Buffer
}

function frame({ correlationId, payload }: Answer): Buffer {
  const head = Buffer.alloc(8)
  head.writeInt32BE(4 + payload.length, 0)
  head.writeInt32BE(correlationId, 4)
  return Buffer.concat([head, payload])
}

function readAll(chunks: readonly Buffer[]): Answer[] {
  const answers: Answer[] = []
  const frames = new AnswerFrames((correlationId, payload) => answers.push({ correlationId, payload }))
  for (const chunk of chunks) frames.push(chunk)
  return answers
}

const answers = fc.array(
  fc.record({
    correlationId: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
    payload: fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
  }),
  { maxLength: 8 },
)

describe('AnswerFrames', () => {
  test('gives the same answers however the bytes are cut into chunks', () => {
    fc.assert(
      fc.property(answers, fc.array(fc.nat(500)), (sent, cuts) => {
        const bytes = Buffer.concat(sent.map(frame))
        const borders = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length]
        const chunks = borders.slice(1).map((end, index) => bytes.subarray(borders[index], end))
        expect(readAll(chunks)).toEqual(sent)
      }),
    )
  })

  test('an answer within one chunk is a view, not a copy', () => {
    const chunk = frame({ correlationId: 1, payload: Buffer.from('abc') })
    expect(readAll([chunk])[0]?.payload.buffer).toBe(chunk.buffer)
  })

  test('a large answer in many chunks costs one copy: 8 MB in 1 KB chunks in less than a second', () => {
    const chunkBytes = 1024
    const size = 8 * 1024 * chunkBytes
    const head = Buffer.alloc(8)
    head.writeInt32BE(4 + size, 0)
    const chunk = Buffer.alloc(chunkBytes, 7)
    let payloadBytes = 0
    const frames = new AnswerFrames((_, payload) => {
      payloadBytes = payload.length
    })
    const startedAt = performance.now()
    frames.push(head)
    for (let sent = 0; sent < size; sent += chunkBytes) frames.push(chunk)
    expect(payloadBytes).toBe(size)
    expect(performance.now() - startedAt).toBeLessThan(1000)
  })

  test.each([-1, 0, 3, maxAnswerBytes + 1, 0x15030300])('refuses the length %i', (length) => {
    const chunk = Buffer.alloc(4)
    chunk.writeInt32BE(length, 0)
    expect(() => readAll([chunk])).toThrow(FrameLengthError)
  })
})
