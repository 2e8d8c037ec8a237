/**
 * Cuts the bytes that a broker sends into answers.
 *
 * An answer is its length (int32), a correlation id (int32) and a payload. Invariants:
 *   1. The bytes of a large answer are read into its own buffer, of its final size, by the kernel: nothing is copied, and nothing
 *      is allocated but that buffer. (V8 counts what lies outside its heap too: 64 KB for each read, as sockets take it, made it
 *      mark the whole heap several times a second.)
 *   2. An answer is the receiver's: its bytes are never written to again.
 *   3. A length that no answer has is refused at once, so that a peer that is not Kafka is told apart from a slow one.
 */

/** More than any answer we ask for. What is longer is not Kafka's protocol: a TLS alert read as a length is 352 MB. */
export const maxAnswerBytes = 256 * 1024 * 1024

const lengthBytes = 4
/** Small answers come together, so that one read brings many. */
const arrivalBytes = 16 * 1024

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
  /** Where bytes are read to while no answer has begun. */
  private readonly arrivals = Buffer.allocUnsafeSlow(arrivalBytes)
  /** The bytes of a length that was cut off, which stand at the start of `arrivals`. */
  private arrived = 0
  /** The answer that has begun but not ended, if any. */
  private answer: Buffer | null = null
  private answerFilled = 0

  constructor(onAnswer: AnswerHandler) {
    this.onAnswer = onAnswer
  }

  /** Where the next bytes from the socket belong; never empty. */
  target(): Buffer {
    return this.answer === null
      ? this.arrivals.subarray(this.arrived)
      : this.answer.subarray(this.answerFilled)
  }

  /** Takes `count` bytes that were put at the start of `target()`. Throws FrameLengthError. */
  filled(count: number): void {
    if (this.answer === null) this.read(this.arrived + count)
    else this.answerFilled += count
    this.deliverIfWhole()
  }

  /** Takes bytes from elsewhere, by copying them. Throws FrameLengthError. */
  push(chunk: Buffer): void {
    for (let position = 0; position < chunk.length; ) {
      const taken = chunk.copy(this.target(), 0, position)
      position += taken
      this.filled(taken)
    }
  }

  /** Reads the first `end` bytes of `arrivals`: whole answers, and perhaps the beginning of one. */
  private read(end: number): void {
    const bytes = this.arrivals
    let position = 0
    while (end - position >= lengthBytes) {
      const size = bytes.readInt32BE(position)
      if (size < 4 || size > maxAnswerBytes) throw new FrameLengthError(size)
      position += lengthBytes
      this.answer = Buffer.allocUnsafe(size)
      this.answerFilled = bytes.copy(this.answer, 0, position, Math.min(end, position + size))
      position += this.answerFilled
      if (position < end) this.deliverIfWhole()
    }
    this.arrived = this.answer === null ? bytes.copy(bytes, 0, position, end) : 0
  }

  private deliverIfWhole(): void {
    const answer = this.answer
    if (answer === null || this.answerFilled < answer.length) return
    this.answer = null
    this.onAnswer(answer.readInt32BE(0), answer.subarray(4))
  }
}
