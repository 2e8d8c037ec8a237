/** Asks the HTTP server of an instance. */
import { systemClock } from '../../src/system/clock.ts'
import type { Instance } from './instance.ts'

/** Settings of an instance with an HTTP server on a port of its own. */
export const withHttp = { HTTP_PORT: '0' } as const

const tooEarly = 503
const startedWithinMs = 60_000

export class HttpClient {
  readonly url: string

  /** Waits until the instance listens. */
  static async of(instance: Instance): Promise<HttpClient> {
    const { url } = await instance.line('it listens', ({ msg }) => msg === 'HTTP server is listening')
    return new HttpClient(String(url).replace(/\/$/, ''))
  }

  /** Of a server that listens already. */
  static at(url: string): HttpClient {
    return new HttpClient(url)
  }

  private constructor(url: string) {
    this.url = url
  }

  get(path: string, options: RequestInit = {}): Promise<Response> {
    return fetch(`${this.url}${path}`, { signal: AbortSignal.timeout(20_000), ...options })
  }

  /** The answer, which must be a success. */
  async json<T>(path: string): Promise<T> {
    return JSON.parse(await this.text(path)) as T
  }

  /** Asks again for as long as the server says that it is too early: what answers is loaded after the tasks run. */
  async text(path: string): Promise<string> {
    const deadline = systemClock.monotonic() + startedWithinMs
    for (;;) {
      const answer = await this.get(path)
      const text = await answer.text()
      if (answer.ok) return text
      if (answer.status !== tooEarly || systemClock.monotonic() > deadline) {
        throw new Error(`${path}: ${answer.status} ${text}`)
      }
      await systemClock.sleep(100)
    }
  }

  /** Asks again until the answer `fits`. */
  async until<T>(path: string, fits: (answer: T) => boolean, timeoutMs = 60_000): Promise<T> {
    const deadline = systemClock.monotonic() + timeoutMs
    for (;;) {
      const answer = await this.get(path)
      const body = (await answer.json()) as T
      if (fits(body)) return body
      if (systemClock.monotonic() > deadline) {
        throw new Error(
          `${path} did not come to fit: ${answer.status} ${JSON.stringify(body).slice(0, 2000)}`,
        )
      }
      await systemClock.sleep(100)
    }
  }

  /** Server-sent events, as they come. Ends when the returned iterator is closed. */
  async *events(path: string, signal: AbortSignal): AsyncGenerator<{ event: string; data: unknown }> {
    const answer = await fetch(`${this.url}${path}`, { signal, headers: { accept: 'text/event-stream' } })
    if (answer.body === null || !answer.ok) throw new Error(`${path}: ${answer.status}`)
    let text = ''
    const decoder = new TextDecoder()
    for await (const chunk of answer.body) {
      text += decoder.decode(chunk as Uint8Array, { stream: true })
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const lines = text.slice(0, end).split('\n')
        text = text.slice(end + 2)
        const event = lines.find((line) => line.startsWith('event: '))?.slice('event: '.length)
        const data = lines.find((line) => line.startsWith('data: '))?.slice('data: '.length)
        if (event !== undefined) yield { event, data: JSON.parse(data ?? 'null') as unknown }
      }
    }
  }
}
