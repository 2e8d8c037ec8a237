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

/** As TLS brings them. */
function readAll(chunks: readonly Buffer[]): Answer[] {
  const answers: Answer[] = []
  const frames = new AnswerFrames((correlationId, payload) => answers.push({ correlationId, payload }))
  for (const chunk of chunks) frames.push(chunk)
  return answers
}

/** As the kernel writes them into the buffers that it is given: at most so many bytes as each read has room for. */
function readInPlace(bytes: Buffer, mostAtOnce: readonly number[]): Answer[] {
  const answers: Answer[] = []
  const frames = new AnswerFrames((correlationId, payload) => answers.push({ correlationId, payload }))
  for (let position = 0, reads = 0; position < bytes.length; reads++) {
    const most = mostAtOnce[reads % mostAtOnce.length] ?? 1
    const target = frames.target()
    expect(target.length).toBeGreaterThan(0)
    const count = bytes.copy(target, 0, position, Math.min(bytes.length, position + most))
    frames.filled(count)
    position += count
  }
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

  test('gives the same answers however much each read brings, also answers larger than what is read at once', () => {
    const large = fc.record({
      correlationId: fc.nat(),
      payload: fc.integer({ min: 10_000, max: 60_000 }).map((size) => Buffer.alloc(size, size)),
    })
    const mixed = fc
      .array(
        fc.oneof(
          { weight: 3, arbitrary: answers },
          large.map((one) => [one]),
        ),
      )
      .map((all) => all.flat())
    const reads = fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1 })
    fc.assert(
      fc.property(mixed, reads, (sent, mostAtOnce) => {
        expect(readInPlace(Buffer.concat(sent.map(frame)), mostAtOnce)).toEqual(sent)
      }),
    )
  })

  test('an answer is not changed by what comes after it', () => {
    const first = { correlationId: 1, payload: Buffer.alloc(100, 1) }
    const second = { correlationId: 2, payload: Buffer.alloc(100, 2) }
    expect(readInPlace(Buffer.concat([frame(first), frame(second)]), [108])).toEqual([first, second])
  })

  test('a large answer in many chunks is copied once: 8 MB in 1 KB chunks in less than five seconds', () => {
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
    expect(performance.now() - startedAt).toBeLessThan(5000)
  })

  test.each([-1, 0, 3, maxAnswerBytes + 1, 0x15030300])('refuses the length %i', (length) => {
    const chunk = Buffer.alloc(4)
    chunk.writeInt32BE(length, 0)
    expect(() => readAll([chunk])).toThrow(FrameLengthError)
  })
})
