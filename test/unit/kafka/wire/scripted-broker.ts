/** A TCP server that answers ApiVersions as Kafka does, and everything else as the test says. */
import { createServer, type Server, type Socket } from 'node:net'

export interface ReceivedRequest {
  readonly apiKey: number
  readonly correlationId: number
  /** Without the header; with the empty tagged fields of a flexible one. */
  readonly body: Buffer
  readonly socket: Socket
}

export type Behaviour = (request: ReceivedRequest, broker: ScriptedBroker) => void

export interface ScriptedBrokerOptions {
  /** The highest version that the broker speaks of every request. Default 20. */
  readonly maxVersion?: number
  /** Whether it answers ApiVersions at all. Default true. */
  readonly greets?: boolean
  /** How long it takes to answer ApiVersions, in milliseconds. Default 0. */
  readonly greetsAfterMs?: number
}

const apiVersionsKey = 18
const highestApiKey = 50

export class ScriptedBroker {
  readonly received: ReceivedRequest[] = []
  readonly sockets: Socket[] = []
  private readonly server: Server
  private readonly behaviour: Behaviour
  private readonly options: ScriptedBrokerOptions

  private constructor(behaviour: Behaviour, options: ScriptedBrokerOptions) {
    this.behaviour = behaviour
    this.options = options
    this.server = createServer((socket) => this.serve(socket))
  }

  static async start(behaviour: Behaviour, options: ScriptedBrokerOptions = {}): Promise<ScriptedBroker> {
    const broker = new ScriptedBroker(behaviour, options)
    await new Promise<void>((resolve) => broker.server.listen(0, '127.0.0.1', resolve))
    return broker
  }

  get port(): number {
    const address = this.server.address()
    if (address === null || typeof address === 'string') throw new Error('not listening')
    return address.port
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  answer(request: ReceivedRequest, hex: string): void {
    const body = Buffer.from(hex, 'hex')
    const head = Buffer.alloc(8)
    head.writeInt32BE(4 + body.length, 0)
    head.writeInt32BE(request.correlationId, 4)
    request.socket.write(Buffer.concat([head, body]))
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    await new Promise((resolve) => this.server.close(resolve))
  }

  private serve(socket: Socket): void {
    this.sockets.push(socket)
    socket.on('error', () => socket.destroy())
    let buffered: Buffer = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      buffered = Buffer.concat([buffered, chunk])
      while (buffered.length >= 4 && buffered.length >= 4 + buffered.readInt32BE(0)) {
        const end = 4 + buffered.readInt32BE(0)
        this.take(buffered.subarray(4, end), socket)
        buffered = buffered.subarray(end)
      }
    })
  }

  private take(bytes: Buffer, socket: Socket): void {
    const apiKey = bytes.readInt16BE(0)
    const bodyAt = 10 + bytes.readInt16BE(8)
    const request = { apiKey, correlationId: bytes.readInt32BE(4), body: bytes.subarray(bodyAt), socket }
    if (apiKey === apiVersionsKey) {
      const { greets, greetsAfterMs } = this.options
      const greet = (): void => this.answer(request, this.apiVersions())
      if (greetsAfterMs !== undefined) setTimeout(greet, greetsAfterMs)
      else if (greets !== false) greet()
      return
    }
    this.received.push(request)
    this.behaviour(request, this)
  }

  private apiVersions(): string {
    const maxVersion = this.options.maxVersion ?? 20
    const bytes = Buffer.alloc(2 + 4 + highestApiKey * 6 + 4)
    bytes.writeInt32BE(highestApiKey, 2)
    for (let apiKey = 0; apiKey < highestApiKey; apiKey++) {
      bytes.writeInt16BE(apiKey, 6 + apiKey * 6)
      bytes.writeInt16BE(maxVersion, 6 + apiKey * 6 + 4)
    }
    return bytes.toString('hex')
  }
}
