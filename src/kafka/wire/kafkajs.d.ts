/**
 * The parts of kafkajs 2.2.4 that the wire imports from inside the package, as far as they are used. `self-test.ts` holds the
 * installed files to this version.
 */

declare module 'kafkajs/src/protocol/encoder.js' {
  export default class Encoder {
    readonly buffer: Buffer
    writeInt8(value: number): this
    writeInt16(value: number): this
    writeInt32(value: number): this
    writeInt64(value: bigint): this
    writeBoolean(value: boolean): this
    writeString(value: string | null): this
    writeBytes(value: Buffer): this
    writeBuffer(value: Buffer): this
    writeUVarInt(value: number): this
    writeUVarIntString(value: string | null): this
  }
}

declare module 'kafkajs/src/protocol/decoder.js' {
  export default class Decoder {
    readonly buffer: Buffer
    readonly offset: number
    constructor(buffer: Buffer)
    readInt8(): number
    readInt16(): number
    readInt32(): number
    readInt64(): bigint
    readBoolean(): boolean
    readString(): string | null
    /** A view; null for length -1. Without a length it reads one of 4 bytes first. */
    readBytes(length?: number): Buffer | null
    readUVarInt(): number
    readUVarIntString(): string | null
    readArray<T>(read: (decoder: Decoder) => T): T[]
    readUVarIntArray<T>(read: (decoder: Decoder) => T): T[] | null
    forward(size: number): void
  }
}

declare module 'kafkajs/src/protocol/requests/index.js' {
  import type Encoder from 'kafkajs/src/protocol/encoder.js'

  export interface KafkajsExchange {
    readonly request: { readonly apiKey: number; readonly apiVersion: number; encode(): Promise<Encoder> }
    readonly response: { decode(payload: Buffer): Promise<unknown> }
  }
  export interface KafkajsDefinition {
    protocol(options: { version: number }): (options: unknown) => KafkajsExchange
  }
  const protocol: { readonly requests: Readonly<Record<string, KafkajsDefinition | undefined>> }
  export default protocol
}

declare module 'kafkajs/src/network/connection.js' {
  import type { Socket } from 'node:net'
  import type { ISocketFactory } from 'kafkajs'

  export interface KafkajsLogger {
    namespace(name: string): KafkajsLogger
    debug(message: string, extra?: object): void
    info(message: string, extra?: object): void
    warn(message: string, extra?: object): void
    error(message: string, extra?: object): void
  }
  export interface ConnectionOptions {
    host: string
    port: number
    logger: KafkajsLogger
    clientId: string
    ssl: object | null
    sasl: object | null
    connectionTimeout: number
    requestTimeout: number
    enforceRequestTimeout: boolean
  }
  export default class Connection {
    readonly host: string
    readonly port: number
    readonly broker: string
    readonly clientId: string
    readonly ssl: object | null
    readonly sasl: object | null
    readonly connectionTimeout: number
    readonly versions: Readonly<Record<number, { minVersion: number; maxVersion: number } | undefined>> | null
    /** Asked for a socket by `connect`. */
    socketFactory: ISocketFactory
    readonly socket: Socket | undefined
    /** Milliseconds, as a 64-bit number; 0 if sessions do not end. */
    readonly sessionLifetime: { toString(): string }
    readonly requestQueue: {
      readonly pending: readonly unknown[]
      scheduleCheckPendingRequests(): void
      fulfillRequest(answer: { correlationId: number; payload: Buffer; size: number }): void
      rejectAll(error: Error): void
      destroy(): void
    }
    constructor(options: ConnectionOptions)
    connect(): Promise<boolean>
    isConnected(): boolean
    nextCorrelationId(): number
    processData(chunk: Buffer): void
  }
}

declare module 'kafkajs/src/broker/index.js' {
  import type Connection from 'kafkajs/src/network/connection.js'
  import type { KafkajsLogger } from 'kafkajs/src/network/connection.js'

  export default class Broker {
    constructor(options: {
      /** A `Connection` does, as a pool of one. */
      connectionPool: Connection & { getConnection(): Promise<Connection> }
      logger: KafkajsLogger
      authenticationTimeout: number
    })
    connect(): Promise<void>
  }
}
