/**
 * The sockets of kafkajs's connections. A plain one reads straight into the buffers that it is given. TLS decrypts into buffers of its
 * own, and what comes of it is pushed.
 */
import { connect, isIP, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import type { ISocketFactory } from 'kafkajs'

const keepAliveDelayMs = 60_000

/** Who takes the bytes of a plain socket. */
export interface Reader {
  /** Where the next bytes belong. */
  target(): Buffer
  /** `count` bytes were put there. Must not throw. */
  filled(count: number): void
  /** TLS does not take the key or the certificate that it was given. kafkajs passes the message on alone. */
  refused(error: unknown): void
}

export function socketsInto(reader: Reader): ISocketFactory {
  return ({ host, port, ssl, onConnect }) => {
    const socket = ssl
      ? overTls(reader, { host, port, ...(isIP(host) === 0 && { servername: host }), ...ssl }, onConnect)
      : connect(
          { host, port, onread: { buffer: () => reader.target(), callback: taking(reader) } },
          onConnect,
        )
    socket.setKeepAlive(true, keepAliveDelayMs)
    return socket
  }
}

function overTls(reader: Reader, options: ConnectionOptions, onConnect: () => void): Socket {
  try {
    return connectTls(options, onConnect)
  } catch (error) {
    reader.refused(error)
    throw error
  }
}

/** True: goes on reading. */
function taking(reader: Reader): (count: number) => boolean {
  return (count) => {
    reader.filled(count)
    return true
  }
}
