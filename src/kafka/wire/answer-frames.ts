/**
 * Cuts the bytes that a broker sends into answers.
 *
 * An answer is its length (int32), a correlation id (int32) and a payload. Invariants:
 *   1. Every byte is copied at most once, however many chunks an answer comes in, and into a buffer of its final size. (kafkajs
 *      is as fast, but keeps all chunks until it joins them: twice the memory, for answers of tens of megabytes.)
 *   2. An answer within one chunk is a view over that chunk; any other has a buffer of its own.
 *   3. A length that no answer has is refused at once, so that a peer that is not Kafka is told apart from a slow one.
 */

/** More than any answer we ask for. What is longer is not Kafka's protocol: a TLS alert read as a length is 352 MB. */
export const maxAnswerBytes = 256 * 1024 * 1024

const lengthBytes = 4

export type AnswerHandler = (correlationId: number, payload: Buffer) => void

/** Thrown for a length that cannot be one of Kafka's. */
export class FrameLengthError extends Error {
  constructor(length: number) {
    super(`an answer of ${length} bytes was announced`)
    this.name = 'FrameLengthError'
  }
}

export class AnswerFrames {
  private readonly onAnswer: AnswerHandler
  /** The length that has begun but not ended, if any. */
  private readonly length = Buffer.alloc(lengthBytes)
  private lengthFilled = 0
  /** The answer that has begun but not ended, if any. */
  private answer: Buffer | null = null
  private answerFilled = 0

  constructor(onAnswer: AnswerHandler) {
    this.onAnswer = onAnswer
  }

  /** Takes the next bytes from the socket. The chunk must not be changed afterwards. */
  push(chunk: Buffer): void {
    let position = 0
    while (position < chunk.length) {
      position = this.answer === null ? this.begin(chunk, position) : this.fill(this.answer, chunk, position)
    }
  }

  /** Reads a length and, if the chunk holds it whole, the answer. Returns the position after what was taken. */
  private begin(chunk: Buffer, position: number): number {
    const missing = lengthBytes - this.lengthFilled
    const taken = chunk.copy(this.length, this.lengthFilled, position, position + missing)
    this.lengthFilled += taken
    if (this.lengthFilled < lengthBytes) return position + taken
    this.lengthFilled = 0
    const size = this.length.readInt32BE(0)
    if (size < 4 || size > maxAnswerBytes) throw new FrameLengthError(size)
    const start = position + taken
    if (chunk.length - start >= size) {
      this.deliver(chunk.subarray(start, start + size))
      return start + size
    }
    this.answer = Buffer.allocUnsafeSlow(size)
    this.answerFilled = 0
    return start
  }

  private fill(answer: Buffer, chunk: Buffer, position: number): number {
    const taken = chunk.copy(answer, this.answerFilled, position)
    this.answerFilled += taken
    if (this.answerFilled === answer.length) {
      this.answer = null
      this.deliver(answer)
    }
    return position + taken
  }

  private deliver(answer: Buffer): void {
    this.onAnswer(answer.readInt32BE(0), answer.subarray(4))
  }
}
