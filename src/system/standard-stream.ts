import { CodedError } from '../errors.ts'

/**
 * Standard output or standard error, as a command prints on it. Into a pipe Node writes when the reader takes it: whoever ends the process
 * waits for `drained` first. A reader that has seen enough, such as `head`, closes its end; what is written from then on is dropped.
 */
export class StandardStream {
  readonly #stream: NodeJS.WriteStream
  readonly #name: string
  #pending = 0
  #waiting: (() => void)[] = []
  #isGone = false
  #failure: Error | null = null

  /** `name` is for errors. */
  constructor(stream: NodeJS.WriteStream, name: string) {
    this.#stream = stream
    this.#name = name
    stream.on('error', (error) => this.#fail(error))
  }

  get isTTY(): boolean {
    return this.#stream.isTTY === true
  }

  get columns(): number | undefined {
    return this.#stream.columns
  }

  get rows(): number | undefined {
    return this.#stream.rows
  }

  /** Whether nothing that is written is read any more. */
  get isGone(): boolean {
    return this.#isGone
  }

  write(text: string | Uint8Array): void {
    if (this.#isGone) return
    this.#pending += 1
    this.#stream.write(text, (error) => {
      this.#pending -= 1
      // Comes before the event.
      if (error) this.#fail(error)
      if (this.#pending === 0) this.#release()
    })
  }

  /** Resolves when all that was written is taken, or nobody is there to take it. Rejects with OUTPUT_FAILED, e.g. where the disk is full. */
  async drained(): Promise<void> {
    if (this.#pending > 0 && !this.#isGone) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    const cause = this.#failure
    if (cause === null) return
    throw new CodedError('OUTPUT_FAILED', {
      operation: `write ${this.#name}`,
      detail: `It could not be written (${cause.message}).`,
      cause,
    })
  }

  #fail(error: NodeJS.ErrnoException): void {
    // Those that follow say only that the stream has ended.
    if (this.#isGone) return
    this.#isGone = true
    if (error.code !== 'EPIPE') this.#failure = error
    this.#release()
  }

  #release(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}
